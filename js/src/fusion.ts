import type { Ranked } from "./score.js";

/**
 * One ranking of several, such as those of a dense and of a sparse encoder:
 * each document's score is the sum, over the rankings that have it, of
 * `1 / (offset + rank)`, where ranks count from 1. Equal scores keep the order
 * of documents.
 *
 * Source: Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion
 * outperforms Condorcet and individual rank learning methods".
 *
 * @param rankings documents, by position or as other rankings have them, the
 *   best first; a document counts once in each
 */
export function reciprocalRankFusion(
  rankings: Iterable<readonly (number | { readonly index: number })[]>,
  offset = 60,
): Ranked[] {
  const scores = new Map<number, number>();
  for (const ranking of rankings) {
    const seen = new Set<number>();
    for (const [at, document] of ranking.entries()) {
      const index = typeof document === "number" ? document : document.index;
      if (seen.has(index)) continue;
      seen.add(index);
      // In 32 bits, as in the native library, so that both find the same ties.
      scores.set(index, Math.fround((scores.get(index) ?? 0) + Math.fround(1 / (offset + at + 1))));
    }
  }
  const found = Array.from(scores, ([index, score]) => ({ index, score }));
  return found.sort((left, right) => right.score - left.score || left.index - right.index);
}
