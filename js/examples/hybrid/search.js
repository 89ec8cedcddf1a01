// Searches with two models, fuses what they find, and ranks the best again.

import { CrossEncoder, DenseEncoder, MultiVectorEncoder, rank, rankScores, reciprocalRankFusion } from "multivec";

/** Candidates of the fused ranking that the cross-encoder reads. */
const CANDIDATES = 10;

export class HybridSearch {
  #encoders = {};
  #texts;
  #documents;

  /**
   * `sources` are ids or addresses: `{ dense, multiVector, reranker }`.
   * `onProgress(name)` is `onProgress` of one model's `load`; `onLoaded()` is
   * called before the texts are encoded.
   */
  static async load(sources, texts, { onProgress, onLoaded }) {
    const search = new HybridSearch();
    const steps = [
      ["dense", DenseEncoder],
      ["multiVector", MultiVectorEncoder],
      ["reranker", CrossEncoder],
    ];
    const stop = new AbortController();
    const { signal } = stop;
    const loading = steps.map(async ([name, kind]) => {
      search.#encoders[name] = await kind.load(sources[name], { signal, onProgress: onProgress(name) });
    });
    try {
      await Promise.all(loading);
      onLoaded();
      const { dense, multiVector } = search.#encoders;
      const [vectors, matrices] = await Promise.all([dense.encodeDocuments(texts), multiVector.encodeDocuments(texts)]);
      search.#documents = { vectors, matrices };
      search.#texts = texts;
      return search;
    } catch (error) {
      // The others are of no use; what they have downloaded is kept.
      stop.abort();
      Promise.allSettled(loading).then(() => search.dispose());
      throw error;
    }
  }

  /** Frees the models. */
  dispose() {
    for (const encoder of Object.values(this.#encoders)) encoder.dispose();
  }

  /** The best candidates, each with its place in every ranking. */
  async find(text, { signal } = {}) {
    const { dense, multiVector, reranker } = this.#encoders;
    const [vector, matrix] = await Promise.all([
      dense.encodeQuery(text, { signal }),
      multiVector.encodeQuery(text, { signal }),
    ]);
    const rankings = {
      dense: rankScores(this.#documents.vectors.map((document) => vector.similarity(document))),
      multiVector: rank(matrix, this.#documents.matrices),
    };
    const fused = reciprocalRankFusion(Object.values(rankings)).slice(0, CANDIDATES);
    const candidates = fused.map(({ index }) => this.#texts[index]);
    const reranked = await reranker.rank(text, candidates, { signal });
    const place = (ranking, index) => ranking.findIndex((one) => one.index === index) + 1;
    return reranked.map(({ index: candidate, logit }) => {
      const { index } = fused[candidate];
      const { dense, multiVector } = rankings;
      const ranks = { dense: place(dense, index), multiVector: place(multiVector, index), fused: candidate + 1 };
      return { index, logit, ranks };
    });
  }
}
