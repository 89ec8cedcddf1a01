// The surface of the WebAssembly module, written by hand: what
// wasm-bindgen generates knows plain objects only as `any`.

import type { EncodeOptions, Precision, TextKind } from "./options.js";

/** What runs, and in which embedding space. */
export interface EngineInfo {
  /** Name of the engine. */
  engine: string;
  /** Its version. */
  engineVersion: string;
  /** The WebAssembly build that runs. */
  provider: "wasm-simd128" | "wasm-relaxed-simd" | "wasm";
  /** Threads that it runs on. */
  threads: number;
  /** Why there is one thread, where that is not what was asked for; else `null`. */
  threadsLimit: string | null;
  /** Precision of the weights. */
  precision: Precision;
  /** Columns of an embedding. */
  dim: number;
  /** Most tokens of a query. */
  queryLength: number;
  /** Most tokens of a document. */
  documentLength: number;
  /** The model's name, where its configuration states one. */
  modelName: string | null;
  /** Identity of the embedding space (`space`), and how vectors are computed. Store it with them. */
  fingerprint: { space: string; computed: string };
}

/** @internal Names that messages use for the files. */
export interface FileNames {
  model: string;
  tokenizer: string;
  config: string;
}

/** @internal Embeddings of several texts, one after the other. */
export interface EncodedTexts {
  data: Float32Array;
  /** Rows of each text. */
  rows: Uint32Array;
  dim: number;
  /** Where the tokens of each row start in the lists below; one more than rows. */
  memberOffsets: Uint32Array;
  ids: Uint32Array;
  roles: Uint8Array;
  /** Start and end of each token in the text, in UTF-16 units. */
  spans: Uint32Array;
  keptTokens: Uint32Array;
  droppedTokens: Uint32Array;
}

/** @internal Tokens of several texts, one after the other. */
export interface TokenizedTexts {
  ids: Uint32Array;
  attention: Uint8Array;
  kept: Uint8Array;
  roles: Uint8Array;
  spans: Uint32Array;
  /** Tokens of each text. */
  lengths: Uint32Array;
  keptTokens: Uint32Array;
  droppedTokens: Uint32Array;
}

/** @internal */
export interface WasmJob {
  texts(): number;
  runNext(): number;
  finish(): EncodedTexts;
  free(): void;
}

/** @internal */
export interface WasmEncoder {
  info(): Omit<EngineInfo, "threadsLimit">;
  start(texts: string[], kind: TextKind, options: EncodeOptions): WasmJob;
  tokenize(texts: string[], kind: TextKind, options: EncodeOptions): TokenizedTexts;
  tokenTexts(ids: Uint32Array): string[];
  free(): void;
}

/** @internal */
export interface WasmModule {
  WasmEncoder: new (
    model: Uint8Array,
    tokenizer: Uint8Array,
    config: Uint8Array,
    names: FileNames,
    precision: Precision,
    options: EncodeOptions,
  ) => WasmEncoder;
}

/** @internal The build `threads`. */
export interface ThreadsModule extends WasmModule {
  /** What other instances share. */
  memory: WebAssembly.Memory;
  /** Counts the calling thread in, before it helps. */
  enlist(): void;
  /** Lends the calling thread; never returns, and throws where it breaks down. */
  help(): void;
  /** Makes the call fail that waits for this thread. */
  reportFailure(): void;
}
