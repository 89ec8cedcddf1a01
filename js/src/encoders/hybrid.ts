import { type HybridEmbedding, splitHybrid } from "../embeddings/hybrid.js";
import type { ModelSource } from "../loading/source.js";
import type { CallOptions } from "../options.js";
import type { EncodedHybrids } from "../wasm.js";
import type { Texts } from "./base.js";
import { type Loaded, type LoadOptions, start } from "./start.js";
import { EmbeddingEncoder } from "./texts.js";

/**
 * An encoder such as BGE-M3, with a vector of a text, weights of its tokens
 * and a vector for each of them from one pass, on this device.
 */
export class HybridEncoder extends EmbeddingEncoder<HybridEmbedding> {
  /** The kind of its models. */
  readonly kind = "hybrid";

  private constructor(loaded: Loaded) {
    super(loaded);
  }

  /** @internal */
  static of(loaded: Loaded): HybridEncoder {
    return new HybridEncoder(loaded);
  }

  /**
   * Loads a model. The classes of the other kinds load the part that they need
   * of it.
   *
   * @throws EncoderError as {@link MultiVectorEncoder.load}
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<HybridEncoder> {
    return new HybridEncoder(await start(source, options, "hybrid"));
  }

  /** @internal */
  protected override async embeddings(texts: Texts, options: CallOptions | undefined): Promise<HybridEmbedding[]> {
    const found = await this.run<EncodedHybrids>(texts, options);
    if (found === undefined) return [];
    await this.spell(found.indices);
    return splitHybrid(found, this.spellings);
  }
}
