export type { WasmBuild } from "./build.js";
export { Embedding, type Matrix } from "./embedding.js";
export { Encoder, type LoadOptions } from "./encoder.js";
export {
  type CoreErrorCode,
  EncoderError,
  type EncoderErrorCode,
  type EncoderErrorDetails,
  type PackageErrorCode,
} from "./errors.js";
export type { CacheOption, ModelCache } from "./loading/cache.js";
export type { HubOptions } from "./loading/hub.js";
export type { CachedModelOptions, FileOptions, HubInfo, LoadProgress } from "./loading/options.js";
export type { FileKind, FileSource, FolderFiles, ModelFiles, ModelSource } from "./loading/source.js";
export type {
  CallOptions,
  EncodeOptions,
  EncodeProgress,
  PoolOptions,
  Precision,
  StreamOptions,
  TextKind,
} from "./options.js";
export {
  type Match,
  matches,
  maxSim,
  maxSimMany,
  type Ranked,
  rank,
  rerank,
  type Similarity,
  similarity,
} from "./score.js";
export type { Token, TokenizedText, TokenRole, Truncation } from "./tokens.js";
export type { EngineInfo } from "./wasm.js";
