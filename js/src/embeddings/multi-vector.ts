import { EncoderError } from "../errors.js";
import { type Spellings, type Token, type Tokens, type Truncation, tokenAt, truncationOf } from "../tokens.js";
import type { EncodedTexts, PooledRows } from "../wasm.js";

/** Rows of numbers. Scores take any object of this form, so also vectors from a store. */
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
  /** Where the tokens of each row start in `tokens`; one more than rows. */
  memberOffsets: Uint32Array;
  tokens: Tokens;
  truncation: Truncation;
}

/**
 * A multi-vector embedding of one text: one row a token, or a cluster of
 * tokens where it was pooled.
 */
export class Embedding implements Matrix {
  /** The values, row-major, `[tokens, dim]`, in a buffer of their own that may be transferred. */
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
   * Wraps vectors from a store. Such an embedding has no tokens.
   *
   * @param data values, row-major, `[tokens, dim]`
   * @throws EncoderError `dimension_mismatch` if the values do not fill whole rows
   */
  static fromRows(data: Float32Array, dim: number): Embedding {
    if (!Number.isInteger(dim) || dim < 1 || data.length % dim !== 0) {
      throw new EncoderError(
        "dimension_mismatch",
        `a matrix of ${data.length} values: expected whole rows of ${dim}, found ${data.length % dim} left over`,
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
   * where the embedding was pooled. Empty for vectors from a store.
   *
   * @throws RangeError if there is no such row
   */
  rowTokens(index: number): Token[] {
    this.#check(index);
    const source = this.#source;
    if (source === undefined) return [];
    const start = source.memberOffsets[index] ?? 0;
    const end = source.memberOffsets[index + 1] ?? start;
    return Array.from({ length: end - start }, (_, at) => tokenAt(source.tokens, start + at));
  }

  /** How much of the text did not fit; `undefined` for vectors from a store. */
  get truncation(): Truncation | undefined {
    return this.#source?.truncation;
  }

  /** @internal The embedding after rows were pooled. */
  merged({ data, offsets, members }: PooledRows): Embedding {
    const source = this.#source;
    if (source === undefined) return new Embedding(data, this.dim);
    // Positions of tokens, in the order of the pooled rows.
    const order: number[] = [];
    const memberOffsets = new Uint32Array(offsets.length);
    for (let row = 0; row + 1 < offsets.length; row += 1) {
      for (const member of members.subarray(offsets[row], offsets[row + 1])) {
        const end = source.memberOffsets[member + 1] ?? 0;
        for (let at = source.memberOffsets[member] ?? end; at < end; at += 1) order.push(at);
      }
      memberOffsets[row + 1] = order.length;
    }
    const { ids, roles, spans, spellings } = source.tokens;
    const tokens: Tokens = {
      ids: Uint32Array.from(order, (at) => ids[at] ?? 0),
      roles: Uint8Array.from(order, (at) => roles[at] ?? 0),
      spans: Uint32Array.from(
        order.flatMap((at) => [2 * at, 2 * at + 1]),
        (at) => spans[at] ?? 0,
      ),
      spellings,
    };
    return new Embedding(data, this.dim, { memberOffsets, tokens, truncation: source.truncation });
  }

  #check(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.tokens) {
      throw new RangeError(`row ${index}: expected 0 to ${this.tokens - 1}`);
    }
  }
}

/** @internal Splits the embeddings of a call by text, each with buffers of its own. */
export function splitTexts(all: EncodedTexts, spellings: Spellings): Embedding[] {
  spellings.add(all);
  const embeddings: Embedding[] = [];
  let first = 0;
  for (const [text, rows] of all.rows.entries()) {
    const from = all.memberOffsets[first] ?? 0;
    const to = all.memberOffsets[first + rows] ?? from;
    const source: RowSource = {
      memberOffsets: all.memberOffsets.slice(first, first + rows + 1).map((offset) => offset - from),
      tokens: {
        ids: all.ids.slice(from, to),
        roles: all.roles.slice(from, to),
        spans: all.spans.slice(2 * from, 2 * to),
        spellings,
      },
      truncation: truncationOf(all.keptTokens[text], all.droppedTokens[text]),
    };
    embeddings.push(new Embedding(all.data.slice(first * all.dim, (first + rows) * all.dim), all.dim, source));
    first += rows;
  }
  return embeddings;
}
