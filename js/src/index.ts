export type { CompiledWasm, WasmBuild } from "./build.js";
export { Corpus } from "./corpus/corpus.js";
export type {
  AppendOptions,
  CorpusOptions,
  CorpusPlace,
  FoundDocument,
  OpenOptions,
  SavedOptions,
  SearchOptions,
} from "./corpus/options.js";
export { DenseEmbedding } from "./embeddings/dense.js";
export type { HybridEmbedding } from "./embeddings/hybrid.js";
export { Embedding, type Matrix } from "./embeddings/multi-vector.js";
export { SparseEmbedding, type WeightedToken } from "./embeddings/sparse.js";
export type { BaseEncoder } from "./encoders/base.js";
export { CrossEncoder, type Prediction, type PredictOptions, type RankedDocument } from "./encoders/cross.js";
export { DenseEncoder } from "./encoders/dense.js";
export { HybridEncoder } from "./encoders/hybrid.js";
export { type AnyEncoder, load } from "./encoders/load.js";
export { Encoder, MultiVectorEncoder } from "./encoders/multi-vector.js";
export { SparseEncoder } from "./encoders/sparse.js";
export type { LoadOptions } from "./encoders/start.js";
export type { EmbeddingEncoder } from "./encoders/texts.js";
export {
  type CoreErrorCode,
  EncoderError,
  type EncoderErrorCode,
  type EncoderErrorDetails,
  type PackageErrorCode,
} from "./errors.js";
export { fromFloat16, toFloat16 } from "./float16.js";
export { reciprocalRankFusion } from "./fusion.js";
export type { CacheOption, ModelCache } from "./loading/cache.js";
export type { HubOptions } from "./loading/hub.js";
export type { CachedModelOptions, FileOptions, HubInfo, LoadProgress } from "./loading/options.js";
export type { FileKind, FileSource, FolderFiles, ModelFiles, ModelSource } from "./loading/source.js";
export type { EngineOptions } from "./open.js";
export type {
  CallOptions,
  EncodeOptions,
  EncodeProgress,
  PoolOptions,
  Precision,
  StreamOptions,
  TextKind,
} from "./options.js";
export { type Int8Ranges, int8Ranges, toBinary, toInt8 } from "./quantize.js";
export type { RankOptions } from "./remote-scores.js";
export {
  type Match,
  matches,
  maxSim,
  maxSimMany,
  type Ranked,
  rank,
  rankScores,
  rerank,
  type Similarity,
  similarity,
} from "./score.js";
export type { Token, TokenizedText, TokenRole, Truncation } from "./tokens.js";
export type { EngineInfo, ModelKind, SimilarityFunction, VectorPrecision } from "./wasm.js";
