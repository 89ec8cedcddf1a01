// MaxSim: each query row takes its best product with a document row, and the
// score is the sum. Source: Khattab and Zaharia 2020, arXiv:2004.12832.

import type { Matrix } from "./embeddings/multi-vector.js";
import { EncoderError, optionError } from "./errors.js";

/** A document's place in a ranking. */
export interface Ranked {
  /** The document's position in the array that was ranked. */
  index: number;
  /** Its score. */
  score: number;
}

/** Products of all pairs of rows, `[rows, columns]`. */
export interface Similarity {
  /** The products, row-major: that of query row `i` and document row `j` is at `i * columns + j`. */
  data: Float32Array;
  /** Rows of the query. */
  rows: number;
  /** Rows of the document. */
  columns: number;
}

/** The document row that a query row matched. */
export interface Match {
  /** The row of the document; `null` where it has none. */
  row: number | null;
  /** The product of the two rows, 0 where there is none. */
  score: number;
}

/**
 * The score of a document for a query. A document without rows scores 0.
 *
 * @throws EncoderError `dimension_mismatch` if the columns differ in number
 */
export function maxSim(query: Matrix, document: Matrix): number {
  return score(query, document, "document");
}

/**
 * The scores of documents for a query, in the order of the documents.
 *
 * @throws EncoderError `dimension_mismatch`, naming the document
 */
export function maxSimMany(query: Matrix, documents: readonly Matrix[]): number[] {
  return documents.map((document, index) => score(query, document, `document ${index}`));
}

/**
 * All documents by descending score; equal scores keep the order given.
 *
 * @throws EncoderError `dimension_mismatch`, naming the document
 */
export function rank(query: Matrix, documents: readonly Matrix[]): Ranked[] {
  return rankScores(maxSimMany(query, documents));
}

/**
 * All positions by descending score, such as similarities of dense embeddings;
 * equal scores keep their order.
 */
export function rankScores(scores: Iterable<number>): Ranked[] {
  return sorted(Array.from(scores, (score, index) => ({ index, score })));
}

/**
 * The documents at the given positions, such as the candidates of another
 * search, by descending score; equal scores keep the order of the candidates.
 *
 * @throws EncoderError `invalid_option` for a candidate that is no position in
 *   `documents`; `dimension_mismatch`, naming the document
 */
export function rerank(query: Matrix, documents: readonly Matrix[], candidates: readonly number[]): Ranked[] {
  return sorted(
    candidates.map((index) => {
      const document = documents[index];
      if (document === undefined) throw optionError("candidates", `positions below ${documents.length}`, index);
      return { index, score: score(query, document, `document ${index}`) };
    }),
  );
}

/**
 * For each query row the document row with the best product, the first of equals.
 *
 * @throws EncoderError `dimension_mismatch` if the columns differ in number
 */
export function matches(query: Matrix, document: Matrix): Match[] {
  checkDim(query, document, "document");
  const { rows, scores } = best(query, document);
  return Array.from(scores, (score, at) => ({ row: document.tokens === 0 ? null : (rows[at] ?? 0), score }));
}

/**
 * Every product of a query row with a document row.
 *
 * @throws EncoderError `dimension_mismatch` if the columns differ in number
 */
export function similarity(query: Matrix, document: Matrix): Similarity {
  checkDim(query, document, "document");
  const [rows, columns, dim] = [query.tokens, document.tokens, query.dim];
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      let product = 0;
      for (let at = 0; at < dim; at += 1) product += query.data[row * dim + at]! * document.data[column * dim + at]!;
      data[row * columns + column] = product;
    }
  }
  return { data, rows, columns };
}

function sorted(ranking: Ranked[]): Ranked[] {
  return ranking.sort((left, right) => descending(left.score, right.score));
}

function score(query: Matrix, document: Matrix, what: string): number {
  checkDim(query, document, what);
  return best(query, document).scores.reduce((sum, one) => sum + one, 0);
}

/** For each query row the document row with the best product, and that product. */
function best(query: Matrix, document: Matrix): { rows: Int32Array; scores: Float64Array } {
  const { dim, tokens } = document;
  const left = query.data;
  const right = document.data;
  const rows = new Int32Array(query.tokens);
  const scores = new Float64Array(query.tokens);
  const last = query.tokens - 1;
  // Four query rows at a time read each document row once: four times as fast.
  for (let row = 0; row <= last; row += 4) {
    const [second, third, fourth] = [Math.min(row + 1, last), Math.min(row + 2, last), Math.min(row + 3, last)];
    const [atFirst, atSecond, atThird, atFourth] = [row * dim, second * dim, third * dim, fourth * dim];
    for (let other = 0; other < tokens; other += 1) {
      const start = other * dim;
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let at = 0; at < dim; at += 1) {
        const value = right[start + at]!;
        a += left[atFirst + at]! * value;
        b += left[atSecond + at]! * value;
        c += left[atThird + at]! * value;
        d += left[atFourth + at]! * value;
      }
      keep(rows, scores, row, other, a);
      keep(rows, scores, second, other, b);
      keep(rows, scores, third, other, c);
      keep(rows, scores, fourth, other, d);
    }
  }
  return { rows, scores };
}

function keep(rows: Int32Array, scores: Float64Array, row: number, other: number, product: number): void {
  if (other === 0 || product > scores[row]!) {
    rows[row] = other;
    scores[row] = product;
  }
}

function checkDim(query: Matrix, document: Matrix, what: string): void {
  if (query.dim !== document.dim) {
    throw new EncoderError("dimension_mismatch", `${what}: expected dimension ${query.dim}, found ${document.dim}`);
  }
}

// NaN, which only a broken document has, goes last.
function descending(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  return right - left;
}
