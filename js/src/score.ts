// MaxSim: each query row takes its best product with a document row, and the
// score is the sum. Source: Khattab and Zaharia 2020, arXiv:2004.12832.

import type { Matrix } from "./embeddings/multi-vector.js";
import { optionError } from "./errors.js";
import { type Named, productsOf, scoresOf } from "./products.js";

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
 * Scores are computed in WebAssembly where an encoder runs on the thread that
 * calls. In a page its own thread computes as long as that takes: see
 * `MultiVectorEncoder.rank` and `Corpus`.
 *
 * @throws EncoderError `dimension_mismatch` if the columns differ in number;
 *   `non_finite_vector`, or `invalid_option` for the query, if a number is not
 *   finite
 */
export function maxSim(query: Matrix, document: Matrix): number {
  return scoresOf(query, [{ document, name: "document" }])[0]!;
}

/**
 * The scores of documents for a query, in the order of the documents.
 *
 * @throws EncoderError as {@link maxSim}, naming the document
 */
export function maxSimMany(query: Matrix, documents: readonly Matrix[]): number[] {
  return scoresOf(
    query,
    documents.map((document, index) => named(document, index)),
  );
}

/**
 * All documents by descending score; equal scores keep the order given.
 *
 * @throws EncoderError as {@link maxSim}, naming the document
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
 *   `documents`; as {@link maxSim}, naming the document
 */
export function rerank(query: Matrix, documents: readonly Matrix[], candidates: readonly number[]): Ranked[] {
  const scores = scoresOf(query, chosen(documents, candidates));
  return sorted(candidates.map((index, at) => ({ index, score: scores[at]! })));
}

/** @internal The documents at some positions. */
export function chosen(documents: readonly Matrix[], candidates: readonly number[]): Named[] {
  return candidates.map((index) => {
    const document = documents[index];
    if (document === undefined) throw optionError("candidates", `positions below ${documents.length}`, index);
    return named(document, index);
  });
}

/** @internal */
export function named(document: Matrix, index: number): Named {
  return { document, name: `document ${index}` };
}

/**
 * For each query row the document row with the best product, the first of equals.
 *
 * @throws EncoderError `dimension_mismatch` if the columns differ in number
 */
export function matches(query: Matrix, document: Matrix): Match[] {
  const { tokens } = document;
  const products = productsOf(query, document);
  return Array.from({ length: query.tokens }, (_, row) => {
    const first = row * tokens;
    let best = first;
    for (let at = first + 1; at < first + tokens; at += 1) if (products[at]! > products[best]!) best = at;
    return tokens === 0 ? { row: null, score: 0 } : { row: best - first, score: products[best]! };
  });
}

/**
 * Every product of a query row with a document row.
 *
 * @throws EncoderError `dimension_mismatch` if the columns differ in number
 */
export function similarity(query: Matrix, document: Matrix): Similarity {
  return { data: productsOf(query, document), rows: query.tokens, columns: document.tokens };
}

/** @internal */
export function sorted(ranking: Ranked[]): Ranked[] {
  return ranking.sort((left, right) => descending(left.score, right.score));
}

// NaN, which only a broken similarity is, goes last.
function descending(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  return right - left;
}
