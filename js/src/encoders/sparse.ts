import { type SparseEmbedding, splitSparse } from "../embeddings/sparse.js";
import type { ModelSource } from "../loading/source.js";
import type { CallOptions } from "../options.js";
import type { EncodedVectors } from "../wasm.js";
import type { Texts } from "./base.js";
import { type Loaded, type LoadOptions, start } from "./start.js";
import { EmbeddingEncoder } from "./texts.js";

/**
 * An encoder with a weight for each of a few tokens of the vocabulary, such as
 * SPLADE, on this device.
 */
export class SparseEncoder extends EmbeddingEncoder<SparseEmbedding> {
  /** The kind of its models. */
  readonly kind = "sparse";

  private constructor(loaded: Loaded) {
    super(loaded);
  }

  /** @internal */
  static of(loaded: Loaded): SparseEncoder {
    return new SparseEncoder(loaded);
  }

  /**
   * Loads a model.
   *
   * @throws EncoderError as {@link MultiVectorEncoder.load}
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<SparseEncoder> {
    return new SparseEncoder(await start(source, options, "sparse"));
  }

  /** @internal */
  protected override async embeddings(texts: Texts, options: CallOptions | undefined): Promise<SparseEmbedding[]> {
    const found = await this.run<EncodedVectors>(texts, options);
    if (found === undefined) return [];
    await this.spell(found.indices);
    return splitSparse(found, this.info.dim, this.spellings);
  }
}
