import type { Spellings } from "../tokens.js";
import type { EncodedHybrids } from "../wasm.js";
import { type DenseEmbedding, splitDense } from "./dense.js";
import { type Embedding, splitTexts } from "./multi-vector.js";
import { type SparseEmbedding, splitSparse } from "./sparse.js";

/** What a model of several kinds gives for a text. */
export interface HybridEmbedding {
  /** The vector of the text. */
  readonly dense: DenseEmbedding;
  /** Weights of its tokens. */
  readonly sparse: SparseEmbedding;
  /** A vector for each token but the first. */
  readonly multiVector: Embedding;
}

/** @internal Splits what a call gives by text, each part with buffers of its own. */
export function splitHybrid(all: EncodedHybrids, spellings: Spellings): HybridEmbedding[] {
  const { keptTokens, droppedTokens } = all;
  const count = all.rows.length;
  const columns = all.dense.length / count;
  const ends = Uint32Array.from({ length: count }, (_, text) => (text + 1) * columns);
  const dense = splitDense({ data: all.dense, ends, keptTokens, droppedTokens }, "cosine");
  const weights = { data: all.weights, indices: all.indices, ends: all.ends, keptTokens, droppedTokens };
  const sparse = splitSparse(weights, all.vocabulary, spellings);
  return splitTexts(all, spellings).map((multiVector, text) => ({
    dense: dense[text]!,
    sparse: sparse[text]!,
    multiVector,
  }));
}
