export type { WasmBuild } from "./build.js";
export { Embedding, type Matrix } from "./embedding.js";
export { Encoder, type LoadOptions } from "./encoder.js";
export {
  EncoderError,
  type CoreErrorCode,
  type EncoderErrorCode,
  type EncoderErrorDetails,
  type PackageErrorCode,
} from "./errors.js";
export type { CacheOption, ModelCache } from "./loading/cache.js";
export type { FileOptions, LoadProgress } from "./loading/load.js";
export type { FileKind, FileSource, ModelFiles, ModelSource } from "./loading/source.js";
export type { CallOptions, EncodeOptions, EncodeProgress, Precision, TextKind } from "./options.js";
export { matches, maxSim, rank, type Match, type Ranked } from "./score.js";
export type { Token, TokenizedText, TokenRole, Truncation } from "./tokens.js";
export type { EngineInfo } from "./wasm.js";
