import { EncoderError } from "./errors.js";
import { tokenAt, truncationOf, type Token, type Truncation } from "./tokens.js";
import type { EncodedTexts } from "./wasm.js";

/** Rows of numbers; what scoring takes, so that stored vectors do as well. */
export interface Matrix {
  /** The values, row-major, `[tokens, dim]`. */
  readonly data: Float32Array;
  /** Number of rows. */
  readonly tokens: number;
  /** Number of columns. */
  readonly dim: number;
}

/** @internal The tokens behind the rows of one text. */
export interface RowSource {
  /** Where the tokens of each row start in the lists below; one more than rows. */
  memberOffsets: Uint32Array;
  ids: Uint32Array;
  roles: Uint8Array;
  spans: Uint32Array;
  truncation: Truncation;
}

/**
 * A multi-vector embedding of one text: one row a token, or a cluster of
 * tokens where it was pooled.
 */
export class Embedding implements Matrix {
  /** The values, row-major, `[tokens, dim]`; a buffer of its own, free to be transferred. */
  readonly data: Float32Array;
  /** Number of rows. */
  readonly tokens: number;
  /** Number of columns. */
  readonly dim: number;
  readonly #source: RowSource | undefined;

  /** @internal */
  constructor(data: Float32Array, dim: number, source?: RowSource) {
    this.data = data;
    this.dim = dim;
    this.tokens = dim === 0 ? 0 : data.length / dim;
    this.#source = source;
  }

  /**
   * Wraps vectors that were stored. Such an embedding knows nothing of its text.
   *
   * @param data values, row-major, `[tokens, dim]`
   * @throws EncoderError `dimension_mismatch` if the values do not fill whole rows
   */
  static fromRows(data: Float32Array, dim: number): Embedding {
    if (!Number.isInteger(dim) || dim < 1 || data.length % dim !== 0) {
      throw new EncoderError(
        "dimension_mismatch",
        `a matrix of ${data.length} values: expected whole rows of ${dim}, found ${data.length % dim} values more`,
      );
    }
    return new Embedding(data, dim);
  }

  /**
   * One row, `[dim]`: a view, not a copy.
   *
   * @throws RangeError if there is no such row
   */
  row(index: number): Float32Array {
    this.#check(index);
    return this.data.subarray(index * this.dim, (index + 1) * this.dim);
  }

  /**
   * The tokens that a row stands for: one, or the members of its cluster
   * where the embedding was pooled. Empty for vectors that were stored.
   *
   * @throws RangeError if there is no such row
   */
  rowTokens(index: number): Token[] {
    this.#check(index);
    const source = this.#source;
    if (source === undefined) return [];
    const start = source.memberOffsets[index] ?? 0;
    const end = source.memberOffsets[index + 1] ?? start;
    return Array.from({ length: end - start }, (_, at) =>
      tokenAt(source.ids, source.roles, source.spans, start + at),
    );
  }

  /** How much of the text did not fit; `undefined` for vectors that were stored. */
  get truncation(): Truncation | undefined {
    return this.#source?.truncation;
  }

  #check(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.tokens) {
      throw new RangeError(`row ${index}: expected 0 to ${this.tokens - 1}`);
    }
  }
}

/** @internal The embeddings of a call, each with buffers of its own. */
export function splitTexts(all: EncodedTexts): Embedding[] {
  const embeddings: Embedding[] = [];
  let first = 0;
  for (const [text, rows] of all.rows.entries()) {
    const from = all.memberOffsets[first] ?? 0;
    const to = all.memberOffsets[first + rows] ?? from;
    const source: RowSource = {
      memberOffsets: all.memberOffsets.slice(first, first + rows + 1).map((offset) => offset - from),
      ids: all.ids.slice(from, to),
      roles: all.roles.slice(from, to),
      spans: all.spans.slice(2 * from, 2 * to),
      truncation: truncationOf(all.keptTokens[text], all.droppedTokens[text]),
    };
    embeddings.push(new Embedding(all.data.slice(first * all.dim, (first + rows) * all.dim), all.dim, source));
    first += rows;
  }
  return embeddings;
}
