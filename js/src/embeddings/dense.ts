import { EncoderError } from "../errors.js";
import { type Truncation, truncationOf } from "../tokens.js";
import type { EncodedVectors, SimilarityFunction } from "../wasm.js";

/** A dense embedding: one vector of a text. */
export class DenseEmbedding {
  /** The vector, `[dim]`, in a buffer of its own that may be transferred. */
  readonly values: Float32Array;
  /** How much of the text did not fit; `undefined` for vectors from a store. */
  readonly truncation: Truncation | undefined;
  readonly #function: SimilarityFunction;

  /** @internal */
  constructor(values: Float32Array, by: SimilarityFunction, truncation?: Truncation) {
    this.values = values;
    this.truncation = truncation;
    this.#function = by;
  }

  /**
   * Wraps a vector from a store.
   *
   * @param by how it is compared: `info.similarity` of the encoder that made it
   */
  static fromValues(values: Float32Array, by: SimilarityFunction = "cosine"): DenseEmbedding {
    return new DenseEmbedding(values, by);
  }

  /** Number of columns. */
  get dim(): number {
    return this.values.length;
  }

  /**
   * How similar another embedding is by the model's own function; larger is
   * more similar.
   *
   * @throws EncoderError `dimension_mismatch` if the columns differ in number
   */
  similarity(other: DenseEmbedding): number {
    const [left, right] = [this.values, other.values];
    if (left.length !== right.length) {
      throw new EncoderError("dimension_mismatch", `embedding: expected ${left.length}, found ${right.length}`);
    }
    return FUNCTIONS[this.#function](left, right);
  }
}

type Vector = Float32Array;

// Source: sentence-transformers 6.2, `util/similarity.py`.
const FUNCTIONS: Record<SimilarityFunction, (left: Vector, right: Vector) => number> = {
  cosine: (left, right) => dot(left, right) / (norm(left) * norm(right)),
  dot,
  euclidean: (left, right) => -Math.sqrt(sum(left, right, (one, other) => (one - other) ** 2)),
  manhattan: (left, right) => -sum(left, right, (one, other) => Math.abs(one - other)),
};

function dot(left: Vector, right: Vector): number {
  return sum(left, right, (one, other) => one * other);
}

function norm(vector: Vector): number {
  return Math.max(Math.sqrt(dot(vector, vector)), 1e-12);
}

function sum(left: Vector, right: Vector, of: (one: number, other: number) => number): number {
  let total = 0;
  for (let at = 0; at < left.length; at += 1) total += of(left[at]!, right[at]!);
  return total;
}

/** @internal Splits the vectors of a call by text, each with a buffer of its own. */
export function splitDense(all: Omit<EncodedVectors, "indices" | "scores">, by: SimilarityFunction): DenseEmbedding[] {
  return Array.from(all.ends, (end, text) => {
    const values = all.data.slice(all.ends[text - 1] ?? 0, end);
    return new DenseEmbedding(values, by, truncationOf(all.keptTokens[text], all.droppedTokens[text]));
  });
}
