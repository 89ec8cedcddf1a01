import { type DenseEmbedding, splitDense } from "../embeddings/dense.js";
import type { ModelSource } from "../loading/source.js";
import type { CallOptions } from "../options.js";
import type { EncodedVectors } from "../wasm.js";
import type { Texts } from "./base.js";
import { type Loaded, type LoadOptions, start } from "./start.js";
import { EmbeddingEncoder } from "./texts.js";

/** An encoder with one vector for each text, on this device. */
export class DenseEncoder extends EmbeddingEncoder<DenseEmbedding> {
  /** The kind of its models. */
  readonly kind = "dense";

  private constructor(loaded: Loaded) {
    super(loaded);
  }

  /** @internal */
  static of(loaded: Loaded): DenseEncoder {
    return new DenseEncoder(loaded);
  }

  /**
   * Loads a model.
   *
   * @throws EncoderError as {@link MultiVectorEncoder.load}
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<DenseEncoder> {
    return new DenseEncoder(await start(source, options, "dense"));
  }

  /** @internal */
  protected override async embeddings(texts: Texts, options: CallOptions | undefined): Promise<DenseEmbedding[]> {
    const found = await this.run<EncodedVectors>(texts, options);
    return found === undefined ? [] : splitDense(found, this.info.similarity ?? "cosine");
  }
}
