// Matrices one after the other, in buffers that are copied in a moment each.

import type { Matrix } from "./embeddings/multi-vector.js";
import type { Rows } from "./engine/scoring.js";
import { rowsOf } from "./products.js";

/** Values of a batch: a moment to copy. */
const MOST_VALUES = 1 << 18;
const MOST_MATRICES = 1 << 12;

/** @internal Some of all matrices. */
export interface Batch extends Rows {
  /** The position of its first one. */
  first: number;
  /** The position after its last one. */
  end: number;
}

/** @internal */
export function* batches(matrices: readonly Matrix[]): Generator<Batch, void, undefined> {
  for (let first = 0; first < matrices.length; ) {
    let [end, values] = [first, 0];
    while (end < matrices.length && end - first < MOST_MATRICES && values < MOST_VALUES) {
      values += rowsOf(matrices[end]!).length;
      end += 1;
    }
    yield { ...joined(matrices.slice(first, end)), first, end };
    first = end;
  }
}

/** @internal A copy. */
export function joined(matrices: readonly Matrix[]): Rows {
  const parts = matrices.map(rowsOf);
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  const ends = new Uint32Array(parts.length);
  let [start, rows] = [0, 0];
  for (const [at, part] of parts.entries()) {
    data.set(part, start);
    start += part.length;
    rows += matrices[at]!.tokens;
    ends[at] = rows;
  }
  return { data, ends };
}
