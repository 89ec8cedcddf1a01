import { EncoderError, optionError } from "../errors.js";
import { type Spellings, type Truncation, truncationOf } from "../tokens.js";
import type { EncodedVectors } from "../wasm.js";

/** A token of a sparse embedding. */
export interface WeightedToken {
  /** Its id in the vocabulary. */
  id: number;
  /** How the vocabulary spells it; empty for weights from a store. */
  text: string;
  /** Its weight. */
  weight: number;
}

/** @internal What an embedding knows beside its weights. */
export interface SparseSource {
  truncation: Truncation;
  spellings: Spellings;
}

/** A sparse embedding of one text: the tokens of the vocabulary that have a weight. */
export class SparseEmbedding {
  /** Ids of tokens, ascending. */
  readonly indices: Uint32Array;
  /** The weight of each. */
  readonly values: Float32Array;
  /** Size of the vocabulary. */
  readonly dim: number;
  readonly #source: SparseSource | undefined;

  /** @internal */
  constructor(weights: { indices: Uint32Array; values: Float32Array }, dim: number, source?: SparseSource) {
    this.indices = weights.indices;
    this.values = weights.values;
    this.dim = dim;
    this.#source = source;
  }

  /**
   * Wraps weights from a store. Such an embedding has no spellings.
   *
   * @param dim size of the vocabulary: `info.dim` of the encoder that made it
   * @throws EncoderError `dimension_mismatch` if there are not as many values
   *   as indices; `invalid_option` if the indices do not ascend or are not
   *   below `dim`
   */
  static fromWeights(indices: Uint32Array, values: Float32Array, dim: number): SparseEmbedding {
    if (indices.length !== values.length) {
      throw new EncoderError("dimension_mismatch", `values: expected ${indices.length}, found ${values.length}`);
    }
    const falls = indices.findIndex((index, at) => at > 0 && index <= indices[at - 1]!);
    if (falls !== -1) throw optionError("indices", "ascending ones", `${indices[falls - 1]} before ${indices[falls]}`);
    const last = indices.at(-1) ?? -1;
    if (last >= dim) throw optionError("indices", `less than ${dim}`, last);
    return new SparseEmbedding({ indices, values }, dim);
  }

  /** How many tokens have a weight. */
  get length(): number {
    return this.indices.length;
  }

  /** How much of the text did not fit; `undefined` for weights from a store. */
  get truncation(): Truncation | undefined {
    return this.#source?.truncation;
  }

  /** The tokens by descending weight; equal weights keep the order of ids. */
  get tokens(): WeightedToken[] {
    const all = Array.from(this.indices, (id, at) => {
      return { id, text: this.#source?.spellings.of(id) ?? "", weight: this.values[at]! };
    });
    return all.sort((left, right) => right.weight - left.weight);
  }

  /**
   * The dot product.
   *
   * @throws EncoderError `dimension_mismatch` for another vocabulary
   */
  dot(other: SparseEmbedding): number {
    if (this.dim !== other.dim) {
      throw new EncoderError("dimension_mismatch", `embedding: expected ${this.dim}, found ${other.dim}`);
    }
    let sum = 0;
    for (let left = 0, right = 0; left < this.length && right < other.length; ) {
      const difference = this.indices[left]! - other.indices[right]!;
      if (difference === 0) sum += this.values[left]! * other.values[right]!;
      if (difference <= 0) left += 1;
      if (difference >= 0) right += 1;
    }
    return sum;
  }

  /** The `count` largest weights; of equal ones those with smaller ids. */
  topK(count: number): SparseEmbedding {
    const order = Array.from(this.indices.keys()).sort((left, right) => this.values[right]! - this.values[left]!);
    const kept = order.slice(0, Math.max(0, count)).sort((left, right) => left - right);
    const weights = {
      indices: Uint32Array.from(kept, (at) => this.indices[at]!),
      values: Float32Array.from(kept, (at) => this.values[at]!),
    };
    return new SparseEmbedding(weights, this.dim, this.#source);
  }
}

/** @internal Splits the weights of a call by text, each with buffers of its own. */
export function splitSparse(all: Omit<EncodedVectors, "scores">, dim: number, spellings: Spellings): SparseEmbedding[] {
  return Array.from(all.ends, (end, text) => {
    const start = all.ends[text - 1] ?? 0;
    const weights = { indices: all.indices.slice(start, end), values: all.data.slice(start, end) };
    const truncation = truncationOf(all.keptTokens[text], all.droppedTokens[text]);
    return new SparseEmbedding(weights, dim, { truncation, spellings });
  });
}
