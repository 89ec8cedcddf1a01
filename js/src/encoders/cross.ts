import { EncoderError, optionError } from "../errors.js";
import type { ModelSource } from "../loading/source.js";
import type { CallOptions } from "../options.js";
import { type Truncation, truncationOf } from "../tokens.js";
import type { EncodedVectors } from "../wasm.js";
import { BaseEncoder } from "./base.js";
import { type Loaded, type LoadOptions, start } from "./start.js";

/** What a cross-encoder says of a pair. */
export interface Prediction {
  /** The model's output for each label. */
  logits: Float32Array;
  /** The logits after the model's activation function. */
  scores: Float32Array;
  /** How much of the pair did not fit. */
  truncation: Truncation;
}

/** A document of a ranking by a cross-encoder. */
export interface RankedDocument {
  /** Its position in the array of documents. */
  index: number;
  /** Its score. */
  score: number;
  /** The score before the activation function. */
  logit: number;
}

/** Options of a call of a {@link CrossEncoder}. */
export type PredictOptions = Pick<
  CallOptions,
  "batchSize" | "documentLength" | "onProgress" | "prompt" | "signal" | "tokenBudget" | "truncation"
>;

/** A reranker, which reads a query and a document together, on this device. */
export class CrossEncoder extends BaseEncoder {
  /** The kind of its models. */
  readonly kind = "cross-encoder";

  private constructor(loaded: Loaded) {
    super(loaded);
  }

  /** @internal */
  static of(loaded: Loaded): CrossEncoder {
    return new CrossEncoder(loaded);
  }

  /**
   * Loads a model.
   *
   * @throws EncoderError as {@link MultiVectorEncoder.load}
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<CrossEncoder> {
    return new CrossEncoder(await start(source, options, "cross-encoder"));
  }

  /**
   * Scores pairs of texts, such as queries and documents, in input order.
   * Where a pair is too long, tokens of the longer text are cut off first.
   *
   * @throws EncoderError as {@link MultiVectorEncoder.encodeDocuments};
   *   positions are those of pairs
   */
  async predict(
    pairs: readonly (readonly [query: string, document: string])[],
    options?: PredictOptions,
  ): Promise<Prediction[]> {
    if (!Array.isArray(pairs)) throw optionError("pairs", "an array of pairs of texts", pairs);
    const broken = pairs.find((pair) => !Array.isArray(pair) || pair.length !== 2);
    if (broken !== undefined) throw optionError("pairs", "two texts in each", broken);
    const all = await this.run<EncodedVectors>({ texts: pairs.flat(), kind: "pair" }, options);
    if (all === undefined) return [];
    return Array.from(all.ends, (end, pair) => {
      const start = all.ends[pair - 1] ?? 0;
      return {
        logits: all.data.slice(start, end),
        scores: all.scores.slice(start, end),
        truncation: truncationOf(all.keptTokens[pair], all.droppedTokens[pair]),
      };
    });
  }

  /**
   * All documents by descending score for a query; equal scores keep the
   * order given.
   *
   * @throws EncoderError `model_mismatch` for a model with several labels, and
   *   as {@link predict}
   */
  async rank(query: string, documents: readonly string[], options?: PredictOptions): Promise<RankedDocument[]> {
    if (this.info.dim !== 1) {
      throw new EncoderError("model_mismatch", `labels: expected one label, to rank by it, found ${this.info.dim}`);
    }
    const found = await this.predict(
      documents.map((document) => [query, document] as const),
      options,
    );
    const ranking = found.map(({ logits, scores }, index) => ({ index, score: scores[0]!, logit: logits[0]! }));
    // Scores near 0 or 1 may be equal where logits are not.
    return ranking.sort((left, right) => right.score - left.score || right.logit - left.logit);
  }
}
