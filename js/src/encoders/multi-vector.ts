import { type Embedding, type Matrix, splitTexts } from "../embeddings/multi-vector.js";
import type { ModelSource } from "../loading/source.js";
import type { CallOptions, PoolOptions } from "../options.js";
import { type RankOptions, remoteScores } from "../remote-scores.js";
import { chosen, named, type Ranked, rankScores } from "../score.js";
import type { EncodedTexts } from "../wasm.js";
import type { Texts } from "./base.js";
import { type Loaded, type LoadOptions, start } from "./start.js";
import { EmbeddingEncoder } from "./texts.js";

/**
 * A late-interaction (ColBERT) encoder: turns texts into multi-vector
 * embeddings, on this device.
 */
export class MultiVectorEncoder extends EmbeddingEncoder<Embedding> {
  /** The kind of its models. */
  readonly kind = "multi-vector";

  private constructor(loaded: Loaded) {
    super(loaded);
  }

  /** @internal */
  static of(loaded: Loaded): MultiVectorEncoder {
    return new MultiVectorEncoder(loaded);
  }

  /**
   * Loads a model.
   *
   * @param source the id of a model on a hub, the address of a folder with the
   *   model, or its files; in Node also the path of a folder
   * @throws EncoderError about loading (`http`, `network`, `not_a_model`,
   *   `integrity`, `missing_file`, `io`, `out_of_memory`), a model that cannot
   *   work, or is of another kind (`config_syntax`, `config_value`, `invalid_tokenizer`,
   *   `invalid_model`, `invalid_file`, `model_mismatch`, `inference`), options
   *   (`invalid_option`, `invalid_input`) or the platform (`unsupported`,
   *   `worker`)
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<MultiVectorEncoder> {
    return new MultiVectorEncoder(await start(source, options, "multi-vector"));
  }

  /**
   * Pools the rows of an embedding by hierarchical clustering, also of one
   * from a store. To pool all documents as they are encoded, set the option
   * `poolFactor`.
   *
   * Source: Clavié, Chaffin and Adams 2024, arXiv:2409.14683.
   *
   * @throws EncoderError `invalid_option`, `out_of_memory`, `disposed`,
   *   `panicked` or `worker`
   */
  async pooled(embedding: Embedding, options: PoolOptions): Promise<Embedding> {
    const { data, dim } = embedding;
    return embedding.merged(await this.engine.pool({ data, dim, options }));
  }

  /**
   * The scores of documents for a query, as `maxSimMany` has them, computed in
   * the encoder's worker. To compare the same documents with many queries, make
   * them a `Corpus`.
   *
   * @throws EncoderError as {@link maxSimMany}, and `disposed`, `out_of_memory`,
   *   `panicked` or `worker`
   */
  maxSimMany(query: Matrix, documents: readonly Matrix[], options: RankOptions = {}): Promise<number[]> {
    return remoteScores(this.engine, query, documents.map(named), options);
  }

  /**
   * All documents by descending score, computed in the encoder's worker; equal
   * scores keep the order given.
   *
   * @throws EncoderError as {@link MultiVectorEncoder.maxSimMany}
   */
  async rank(query: Matrix, documents: readonly Matrix[], options?: RankOptions): Promise<Ranked[]> {
    return rankScores(await this.maxSimMany(query, documents, options));
  }

  /**
   * The documents at the given positions by descending score, computed in the
   * encoder's worker; equal scores keep the order of the candidates.
   *
   * @throws EncoderError as {@link MultiVectorEncoder.maxSimMany}, and
   *   `invalid_option` for a candidate that is no position in `documents`
   */
  async rerank(
    query: Matrix,
    documents: readonly Matrix[],
    candidates: readonly number[],
    options: RankOptions = {},
  ): Promise<Ranked[]> {
    const scores = await remoteScores(this.engine, query, chosen(documents, candidates), options);
    return rankScores(scores).map(({ index, score }) => ({ index: candidates[index]!, score }));
  }

  /** @internal */
  protected override async embeddings(texts: Texts, options: CallOptions | undefined): Promise<Embedding[]> {
    const found = await this.run<EncodedTexts>(texts, options);
    return found === undefined ? [] : splitTexts(found, this.spellings);
  }
}

/** A {@link MultiVectorEncoder}. */
export const Encoder = MultiVectorEncoder;
/** A {@link MultiVectorEncoder}. */
export type Encoder = MultiVectorEncoder;
