// The interface of the WebAssembly module, written by hand: wasm-bindgen types
// plain objects as `any`.

import type { HubInfo } from "./loading/options.js";
import type { EncodeOptions, PoolOptions, Precision, TextKind } from "./options.js";

/**
 * What a model gives for a text: a vector for each token, one vector, weights of tokens, scores of pairs, or the
 * first three at once.
 */
export type ModelKind = "multi-vector" | "dense" | "sparse" | "cross-encoder" | "hybrid";

/** How dense vectors are compared; distances are negative, so that larger is more similar. */
export type SimilarityFunction = "cosine" | "dot" | "euclidean" | "manhattan";

/** The engine, the model, and the embedding space. */
export interface EngineInfo {
  /** The kind of the model. */
  kind: ModelKind;
  /** Name of the engine. */
  engine: string;
  /** Its version. */
  engineVersion: string;
  /** The SIMD instructions that the WebAssembly build uses. */
  provider: "wasm-simd128" | "wasm-relaxed-simd" | "wasm";
  /** How many threads it runs on. */
  threads: number;
  /** Why there is one thread, unless one was asked for; else `null`. */
  threadsLimit: string | null;
  /** Precision of the weights that run; those of 16 bits are computed with in 32. */
  precision: Precision | "fp16" | "bf16" | "int4";
  /**
   * What became of the weights when they were loaded: `stored` if they run as
   * they are stored, `at-load` if they were quantized, `refused` if they could
   * not be.
   */
  quantization: "stored" | "at-load" | "refused";
  /** Why weights could not be quantized; `null` for others. */
  quantizationRefused: string | null;
  /**
   * Whether texts of different lengths share a batch: `avoided` where padding
   * changes the vectors of the model, which takes longer.
   */
  padding: "allowed" | "avoided";
  /** Columns of an embedding, of a hybrid one's dense vector, the size of a sparse one's vocabulary, or labels. */
  dim: number;
  /** How the vectors of a dense model are compared; `null` for other models. */
  similarity: SimilarityFunction | null;
  /** Most tokens of a query. */
  queryLength: number;
  /** Most tokens of a document. */
  documentLength: number;
  /** The model's name, if its configuration states one. */
  modelName: string | null;
  /** Identity of the embedding space, to be stored with vectors, and how they are computed. */
  fingerprint: { space: string; computed: string };
  /** Where a model of a hub came from; `null` for others. */
  hub: HubInfo | null;
}

/** @internal The files of a model: a listing, and the content of small ones. */
export interface Listing {
  /** Address of the folder, for messages. */
  location: string;
  paths: string[];
  contents: Record<string, Uint8Array>;
}

/** @internal Weights that a model could be loaded from. */
export interface WeightsPlan {
  path: string;
  /** The files that hold them; `null` as long as the content of `path`, which names them, was not given. */
  files: string[] | null;
}

/** @internal What was asked for of a model. */
export interface Wanted {
  precision: Precision | undefined;
  kind: ModelKind | undefined;
}

/** @internal Weights to load. */
export interface ChosenWeights {
  path: string;
  wanted: Wanted;
}

/** @internal The files that a model needs beside those that describe it. */
export interface Plan {
  /** The kind that the model is loaded as; `null` where the graph alone says whether it is the one that is wanted. */
  kind: ModelKind | null;
  tokenizer: string;
  /** The best first. */
  weights: WeightsPlan[];
  /** Files with the weights of modules. */
  modules: string[];
}

/** @internal A file that is read in parts. */
export interface PartedFile {
  path: string;
  size: number;
  read(start: number, end: number): Uint8Array;
}

/** @internal Tokens of several texts, one entry a token in each list. */
export interface TokenColumns {
  ids: Uint32Array;
  roles: Uint8Array;
  /** Start and end of each token in the text, in UTF-16 code units. */
  spans: Uint32Array;
  /** Every id once. */
  spelledIds: Uint32Array;
  /** How the vocabulary spells them. */
  spellings: string[];
  /** Tokens kept and dropped of each text. */
  keptTokens: Uint32Array;
  droppedTokens: Uint32Array;
}

/** @internal Embeddings of several texts, one after the other. */
export interface EncodedTexts extends TokenColumns {
  data: Float32Array;
  /** Rows of each text. */
  rows: Uint32Array;
  dim: number;
  /** Where the tokens of each row start in the columns; one more than rows. */
  memberOffsets: Uint32Array;
}

/** @internal Vectors of several texts or pairs, one after the other. */
export interface EncodedVectors {
  /** Values of dense vectors, weights of sparse ones, or logits. */
  data: Float32Array;
  /** The logits after the activation function. */
  scores: Float32Array;
  /** The token of each weight. */
  indices: Uint32Array;
  /** Where each text ends in `data`. */
  ends: Uint32Array;
  keptTokens: Uint32Array;
  droppedTokens: Uint32Array;
}

/** @internal Embeddings of several kinds of several texts, one after the other. */
export interface EncodedHybrids extends EncodedTexts {
  /** Vectors of the texts. */
  dense: Float32Array;
  /** Weights of tokens. */
  weights: Float32Array;
  /** The token of each weight. */
  indices: Uint32Array;
  /** Where each text ends in `weights`. */
  ends: Uint32Array;
  /** Tokens that could have a weight. */
  vocabulary: number;
}

/** @internal What a call gives, by the kind of the model; the last without a text. */
export type Encoded = EncodedTexts | EncodedHybrids | EncodedVectors;

/** @internal Tokens of several texts, one after the other. */
export interface TokenizedTexts extends TokenColumns {
  attention: Uint8Array;
  kept: Uint8Array;
  /** Tokens of each text. */
  lengths: Uint32Array;
}

/** @internal Pooled rows, and which rows each is the mean of. */
export interface PooledRows {
  data: Float32Array;
  /** Where the members of each row start in `members`; one more than rows. */
  offsets: Uint32Array;
  members: Uint32Array;
}

/** @internal */
export interface WasmJob {
  texts(): number;
  runNext(): number;
  finish(): Encoded;
  free(): void;
}

/** @internal */
export interface WasmEncoder {
  info(): Omit<EngineInfo, "hub" | "threadsLimit">;
  start(texts: readonly string[], kind: TextKind | "pair", options: EncodeOptions, before: number): WasmJob;
  tokenize(texts: readonly string[], kind: TextKind, options: EncodeOptions): TokenizedTexts;
  spell(ids: Uint32Array): string[];
  pool(data: Float32Array, dim: number, options: PoolOptions): PooledRows;
  free(): void;
}

/** How a corpus stores vectors: 32-bit or 16-bit floats, integers of 8 bits with a scale a row, or signs. */
export type VectorPrecision = "f32" | "f16" | "int8" | "bits";

/** @internal What is in a corpus. */
export interface CorpusInfo {
  documents: number;
  rows: number;
  bytes: number;
  dim: number;
  precision: VectorPrecision;
  /** The embedding space; empty if it is unknown. */
  fingerprint: string;
}

/** @internal The best documents of several queries, one after the other. */
export interface FoundDocuments {
  indices: Uint32Array;
  scores: Float32Array;
  ids: string[];
  /** Where each query ends. */
  ends: Uint32Array;
}

/** @internal */
export interface WasmSearch {
  /** Compares a piece; whether there are more. */
  runNext(corpus: WasmCorpus): boolean;
  finish(corpus: WasmCorpus): FoundDocuments;
  free(): void;
}

/** @internal */
export interface WasmCorpus {
  info(): CorpusInfo;
  push(ids: readonly string[], data: Float32Array, ends: Uint32Array): void;
  commit(): void;
  discard(): void;
  bytes(): Uint8Array;
  start(
    queries: Float32Array,
    ends: Uint32Array,
    most: number,
    positions: Uint32Array | undefined,
    ids: readonly string[] | undefined,
  ): WasmSearch;
  free(): void;
}

/** @internal */
export interface WasmModule {
  WasmCorpus: {
    new (name: string, dim: number, precision: string, space: string): WasmCorpus;
    parse(name: string, bytes: Uint8Array): WasmCorpus;
  };
  /** The scores of documents, `[rows, dim]` each; NaN where a product is not finite. */
  maxSim(query: Float32Array, documents: readonly Float32Array[], dim: number): Float32Array;
  /** `[query rows, document rows]` */
  similarity(query: Float32Array, document: Float32Array, dim: number): Float32Array;
  WasmEncoder: {
    new (files: Listing, large: readonly PartedFile[], weights: ChosenWeights, options: EncodeOptions): WasmEncoder;
    plan(files: Listing, wanted: Wanted): Plan;
    externalFiles(graph: PartedFile): string[];
  };
}

/** @internal The build `threads`. */
export interface ThreadsModule extends WasmModule {
  /** The memory that other instances share. */
  memory: WebAssembly.Memory;
  /** Registers the calling thread, before it calls `help`. */
  enlist(): void;
  /** Lends the calling thread: never returns, and throws if it fails. */
  help(): void;
  /** Fails the call that waits for this thread. */
  reportFailure(): void;
}
