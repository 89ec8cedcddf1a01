// Scores that an engine computes, of vectors that the caller holds.

import { batches } from "./batches.js";
import type { Matrix } from "./embeddings/multi-vector.js";
import type { Engine } from "./engine/engine.js";
import { broken, checkDim, type Named, rowsOf } from "./products.js";

/** Options of scoring in the encoder's worker. */
export interface RankOptions {
  /** Aborts the call; it throws the signal's reason. */
  signal?: AbortSignal;
}

/** @internal */
export async function remoteScores(
  engine: Engine,
  query: Matrix,
  documents: readonly Named[],
  { signal }: RankOptions,
): Promise<number[]> {
  for (const { document, name } of documents) checkDim(query, document, name);
  const all: number[] = [];
  for (const { data, ends } of batches(documents.map(({ document }) => document))) {
    const args = { query: rowsOf(query).slice(), dim: query.dim, data, ends };
    const { scores } = await engine.scoring("score", args, { signal });
    for (const score of scores) {
      if (!Number.isFinite(score)) throw broken(query, documents[all.length]!);
      all.push(score);
    }
  }
  return all;
}
