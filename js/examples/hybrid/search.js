// Searches with two models, fuses what they find, and ranks the best again.

import { CrossEncoder, DenseEncoder, MultiVectorEncoder, rank, rankScores, reciprocalRankFusion } from "multivec";

/** Candidates of the fused ranking that the cross-encoder reads. */
const CANDIDATES = 10;

export class HybridSearch {
  #encoders;
  #texts;
  #documents;

  /** `sources` are ids or addresses: `{ dense, multiVector, reranker }`. */
  static async load(sources, texts, onProgress) {
    const search = new HybridSearch();
    const steps = [
      ["dense", DenseEncoder],
      ["multiVector", MultiVectorEncoder],
      ["reranker", CrossEncoder],
    ];
    const loading = steps.map(async ([name, kind]) => {
      const progress = ({ file, loaded, total }) => file === "model" && total && onProgress(name, loaded / total);
      return [name, await kind.load(sources[name], { onProgress: progress })];
    });
    search.#encoders = Object.fromEntries(await Promise.all(loading));
    const { dense, multiVector } = search.#encoders;
    const [vectors, matrices] = await Promise.all([dense.encodeDocuments(texts), multiVector.encodeDocuments(texts)]);
    search.#documents = { vectors, matrices };
    search.#texts = texts;
    return search;
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
    return reranked.map(({ index: candidate, score }) => {
      const { index } = fused[candidate];
      const { dense, multiVector } = rankings;
      const ranks = { dense: place(dense, index), multiVector: place(multiVector, index), fused: candidate + 1 };
      return { index, score, ranks };
    });
  }
}
