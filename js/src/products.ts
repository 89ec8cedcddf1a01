// Products of rows: in WebAssembly once this thread has an instance, and before in plain loops.

import type { Matrix } from "./embeddings/multi-vector.js";
import { EncoderError } from "./errors.js";
import { withInstance } from "./instances.js";

/** @internal A document, and what errors call it. */
export interface Named {
  document: Matrix;
  name: string;
}

/** @internal The scores of documents. */
export function scoresOf(query: Matrix, documents: readonly Named[]): number[] {
  for (const { document, name } of documents) checkDim(query, document, name);
  const { dim } = query;
  const found =
    dim === 0
      ? undefined
      : withInstance(({ maxSim }) => {
          const all = documents.map(({ document }) => rowsOf(document));
          return Array.from(maxSim(rowsOf(query), all, dim));
        });
  const scores = found ?? documents.map(({ document }) => plainScore(query, document));
  for (const [at, score] of scores.entries()) if (!Number.isFinite(score)) throw broken(query, documents[at]!);
  return scores;
}

/** @internal Every product, `[query rows, document rows]`. */
export function productsOf(query: Matrix, document: Matrix): Float32Array {
  checkDim(query, document, "document");
  const { dim } = query;
  const found = dim === 0 ? undefined : withInstance((one) => one.similarity(rowsOf(query), rowsOf(document), dim));
  return found ?? plainProducts(query, document);
}

/** @internal The values of a matrix, and no more. */
export function rowsOf({ data, tokens, dim }: Matrix): Float32Array {
  return data.length === tokens * dim ? data : data.subarray(0, tokens * dim);
}

/** @internal */
export function checkDim(query: Matrix, document: Matrix, name: string): void {
  if (query.dim !== document.dim) {
    throw new EncoderError("dimension_mismatch", `${name}: expected dimension ${query.dim}, found ${document.dim}`);
  }
}

/** @internal The error of a query or a document with numbers that are not finite, or whose products are not. */
export function broken(query: Matrix, { document, name }: Named): EncoderError {
  const ofQuery = firstBroken(query);
  if (ofQuery !== undefined) {
    const message = `option \`query\`: expected finite numbers, found ${ofQuery.value} in row ${ofQuery.row}`;
    return new EncoderError("invalid_option", message);
  }
  const found = firstBroken(document);
  const where = found === undefined ? "numbers whose products are not" : `${found.value} in row ${found.row}`;
  return new EncoderError("non_finite_vector", `${name}: expected vectors of finite numbers, found ${where}`);
}

function firstBroken(matrix: Matrix): { value: number; row: number } | undefined {
  const rows = rowsOf(matrix);
  const at = rows.findIndex((value) => !Number.isFinite(value));
  return at === -1 ? undefined : { value: rows[at]!, row: Math.floor(at / matrix.dim) };
}

function plainProducts(query: Matrix, document: Matrix): Float32Array {
  const [rows, columns, dim] = [query.tokens, document.tokens, query.dim];
  const [left, right] = [query.data, document.data];
  const data = new Float32Array(rows * columns);
  // Four query rows at a time read each document row once: four times as fast.
  for (let row = 0; row < rows; row += 4) {
    const [second, third, fourth] = [row + 1, row + 2, row + 3].map((one) => Math.min(one, rows - 1)) as Three;
    const [atFirst, atSecond, atThird, atFourth] = [row * dim, second * dim, third * dim, fourth * dim];
    for (let column = 0; column < columns; column += 1) {
      const start = column * dim;
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let at = 0; at < dim; at += 1) {
        const value = right[start + at]!;
        a += left[atFirst + at]! * value;
        b += left[atSecond + at]! * value;
        c += left[atThird + at]! * value;
        d += left[atFourth + at]! * value;
      }
      data[row * columns + column] = a;
      data[second * columns + column] = b;
      data[third * columns + column] = c;
      data[fourth * columns + column] = d;
    }
  }
  return data;
}

type Three = [number, number, number];

/** The score of a document; NaN if a product is not finite. */
function plainScore(query: Matrix, document: Matrix): number {
  const { tokens } = document;
  if (tokens === 0) return 0;
  const products = plainProducts(query, document);
  let sum = 0;
  for (let first = 0; first < products.length; first += tokens) {
    let most = -Infinity;
    for (let at = first; at < first + tokens; at += 1) {
      // Only of products that are not finite, it is not 0.
      sum += 0 * products[at]!;
      if (products[at]! > most) most = products[at]!;
    }
    sum += most;
  }
  return sum;
}
