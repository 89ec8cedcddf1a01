// Uses every part of the public types, as a user would.

import {
  type AnyEncoder,
  type CompiledWasm,
  Corpus,
  type CorpusOptions,
  CrossEncoder,
  DenseEmbedding,
  DenseEncoder,
  Embedding,
  Encoder,
  EncoderError,
  type EncoderErrorCode,
  type FolderFiles,
  type FoundDocument,
  fromFloat16,
  type HubInfo,
  type HybridEmbedding,
  HybridEncoder,
  int8Ranges,
  type LoadOptions,
  load,
  type Match,
  type ModelCache,
  MultiVectorEncoder,
  matches,
  maxSim,
  maxSimMany,
  type PoolOptions,
  type Ranked,
  type RankedDocument,
  rank,
  rankScores,
  reciprocalRankFusion,
  rerank,
  type Similarity,
  SparseEmbedding,
  SparseEncoder,
  type StreamOptions,
  similarity,
  type Token,
  toBinary,
  toFloat16,
  toInt8,
} from "multivec";

const map = new Map<string, Uint8Array>();
const cache: ModelCache = {
  read: async (key) => map.get(key),
  write: async (key, bytes) => void map.set(key, bytes),
  remove: async (key) => void map.delete(key),
};
const options: LoadOptions = {
  precision: "int8",
  worker: false,
  cache,
  sha256: { model: "00" },
  signal: new AbortController().signal,
  onProgress: ({ phase, loaded, total }) => phase === "network" && total !== null && loaded / total,
  poolFactor: 2,
  wasm: "base",
};

export async function use(): Promise<[Ranked[], Match[], number, Token[]]> {
  const encoder = await Encoder.load({ model: new Uint8Array(), tokenizer: new ArrayBuffer(0), config: "x" }, options);
  const texts: readonly string[] = ["a"];
  const documents: Embedding[] = await encoder.encodeDocuments(texts, {
    batchSize: 1,
    onProgress: ({ done, total }) => done / total,
  });
  const query = await encoder.encodeQuery("q");
  const stored = Embedding.fromRows(new Float32Array(query.dim), query.dim);
  const space: string = encoder.info.fingerprint.space;
  const [tokens] = await encoder.tokenize([space], "query");
  const strings: string[] | undefined = tokens?.texts;
  encoder[Symbol.dispose]();
  return [
    rank(query, documents),
    matches(query, stored),
    maxSim(query, { data: stored.data, tokens: 1, dim: 2 }),
    strings ? query.rowTokens(0) : [],
  ];
}

const streaming: StreamOptions = { readAhead: 2, batchSize: 1, signal: new AbortController().signal };
const pooling: PoolOptions = { poolFactor: 2, protectedTokens: 0 };

export async function store(encoder: Encoder, texts: AsyncIterable<string>): Promise<[number[], Ranked[], Similarity]> {
  const document: Embedding = await encoder.encodeDocument("d", { poolFactor: 2 });
  const documents: Embedding[] = [await encoder.pooled(document, pooling)];
  for await (const embedding of encoder.streamDocuments(texts, streaming)) documents.push(embedding);
  // @ts-expect-error: a stream has no total to report
  for await (const query of encoder.streamQueries(["q"], { onProgress: () => {} })) documents.push(query);
  encoder.checkSpace("0".repeat(32));
  const spelled: string | undefined = document.rowTokens(0)[0]?.text;
  console.assert(spelled !== undefined);
  return [maxSimMany(document, documents), rerank(document, documents, [0]), similarity(document, document)];
}

const corpora: CorpusOptions = { ids: ["a"], precision: "int8", fingerprint: "x", worker: false, dim: 2 };

export async function search(encoder: Encoder, documents: readonly Embedding[]): Promise<FoundDocument[]> {
  const { signal } = new AbortController();
  const [query] = documents as [Embedding];
  const corpus = await Corpus.from(documents, { ...corpora, encoder });
  await corpus.append([{ data: new Float32Array(2), tokens: 1, dim: 2 }], { signal });
  await corpus.save("name", { cache });
  const opened = await Corpus.open("name", { cache, threads: 2 });
  const [found = []] = await opened.searchMany([query], 10, { among: ["a"], signal });
  const again: Corpus = await Corpus.fromBytes(await opened.toBytes());
  const ranked: Ranked[] = await encoder.rank(query, documents, { signal });
  // @ts-expect-error: no such precision
  await Corpus.from(documents, { precision: "int4" });
  // @ts-expect-error: positions or ids, not both
  await corpus.search(query, 1, { among: [1, "a"] });
  again.dispose();
  return [...found, ...(await corpus.rerank(query, [ranked.length, 0], 1))];
}

export function describe(error: unknown): EncoderErrorCode | undefined {
  // @ts-expect-error: no such code
  if (error instanceof EncoderError && error.code === "no_such_code") return undefined;
  return error instanceof EncoderError ? error.code : undefined;
}

export async function fromHub(files: FolderFiles): Promise<HubInfo | null> {
  const hub = { revision: "main", token: "x", endpoint: new URL("http://localhost") };
  const { info } = await Encoder.load("org/name", hub);
  (await Encoder.load({ "config.json": new Blob([]), ...files })).dispose();
  // @ts-expect-error: a file that is none
  await Encoder.load({ "config.json": 7 });
  if (await Encoder.isCached("org/name", { revision: "main" })) await Encoder.delete("org/name", { precision: "fp32" });
  return info.hub;
}

export async function kinds(source: string): Promise<number> {
  const encoder: AnyEncoder = await load(source, { dimensions: 8 });
  switch (encoder.kind) {
    case "multi-vector":
      return (await encoder.encodeQuery("q")).tokens;
    case "dense":
      return (await encoder.encodeQuery("q", { prompt: "query" })).values.length;
    case "sparse":
      return (await encoder.encodeQuery("q")).tokens[0]?.weight ?? 0;
    case "cross-encoder":
      // @ts-expect-error: pairs are no single texts
      await encoder.encodeQuery("q");
      return (await encoder.predict([["q", "d"]]))[0]?.scores[0] ?? 0;
    case "hybrid":
      return (await encoder.encodeQuery("q")).multiVector.tokens;
  }
}

export async function hybrid(texts: string[]): Promise<RankedDocument[]> {
  const dense: DenseEncoder = await DenseEncoder.load("org/dense");
  const sparse = await SparseEncoder.load("org/sparse");
  const multi: Encoder = await MultiVectorEncoder.load("org/multi");
  const query = await dense.encodeQuery("q");
  const vectors: DenseEmbedding[] = await dense.encodeDocuments(texts);
  const weights: SparseEmbedding = (await sparse.encodeQuery("q")).topK(8);
  const ranges = int8Ranges(vectors);
  const bytes: (Int8Array | Uint8Array)[] = [toInt8(query, ranges), toBinary(query)];
  const stored = DenseEmbedding.fromValues(fromFloat16(toFloat16(query)), "dot");
  const halves: Uint16Array = toFloat16(
    (await multi.encodeDocuments(texts))[bytes.length] ?? { data: query.values, tokens: 1, dim: 1 },
  );
  console.assert(halves.length > 0);
  const fused: Ranked[] = reciprocalRankFusion([
    rankScores(vectors.map((vector) => query.similarity(vector) + stored.dim)),
    rankScores([weights.dot(SparseEmbedding.fromWeights(weights.indices, weights.values, weights.dim))]),
    rank(await multi.encodeQuery("q"), await multi.encodeDocuments(texts)),
    [0, 1],
  ]);
  const reranker = await CrossEncoder.load("org/rerank");
  return reranker.rank(
    "q",
    fused.map(({ index }) => texts[index] ?? ""),
    { batchSize: 4 },
  );
}

export async function several(texts: string[]): Promise<Ranked[]> {
  const encoder = await HybridEncoder.load("org/bge-m3");
  const query: HybridEmbedding = await encoder.encodeQuery("q");
  const documents = await encoder.encodeDocuments(texts, { poolFactor: 2 });
  return reciprocalRankFusion([
    rankScores(documents.map(({ dense }) => query.dense.similarity(dense))),
    rankScores(documents.map(({ sparse }) => query.sparse.dot(sparse))),
    rank(
      query.multiVector,
      documents.map(({ multiVector }) => multiVector),
    ),
  ]);
}

export function compiled(wasm: CompiledWasm): LoadOptions {
  // @ts-expect-error: neither a build nor one that is compiled
  const wrong: LoadOptions = { wasm: 7 };
  return { ...wrong, wasm };
}
