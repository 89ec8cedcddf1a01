/** Which side of retrieval a text is on. */
export type TextKind = "query" | "document";

/** Numeric form of the weights. */
export type Precision = "fp32" | "int8";

/** Options of encoding; those of a call take precedence over those of the encoder. */
export interface EncodeOptions {
  /** Most tokens of a query, special tokens and marker included; the model's own length by default. */
  queryLength?: number;
  /** Most tokens of a document, counted alike; the model's own length by default. */
  documentLength?: number;
  /**
   * How many first columns of dense vectors are kept, for models trained so
   * (Matryoshka); all by default. They are scaled to a norm of 1 again only
   * with `normalization: "l2"`.
   */
  dimensions?: number;
  /** Name of the prompt in front of all texts, one of the model's own; by default queries and documents have theirs. */
  prompt?: string;
  /** Whether queries of a multi-vector model are filled up with mask tokens; `"model"`: as the configuration says. */
  queryExpansion?: "model" | "on" | "off";
  /** What to do with longer texts: truncate them, or throw `text_too_long`. */
  truncation?: "truncate" | "error";
  /** Whether vectors are scaled to an L2 norm of 1. Fixed when the encoder is loaded. */
  normalization?: "model" | "l2" | "off";
  /** Multi-vectors of documents keep about one row in `poolFactor`; 1 pools nothing. */
  poolFactor?: number;
  /** How many first rows are never pooled; 1 by default. */
  protectedTokens?: number;
  /** Most texts of a batch; not together with `tokenBudget`. */
  batchSize?: number;
  /** Most tokens of a batch, padding included; 320 by default. */
  tokenBudget?: number;
}

/** Options of `MultiVectorEncoder.pooled`. */
export interface PoolOptions {
  /** Rows are reduced to about one in `poolFactor`, at least one; 1 pools nothing. */
  poolFactor: number;
  /** How many first rows are left alone, such as that of `[CLS]`; 1 by default. */
  protectedTokens?: number;
}

/** Progress of a call. */
export interface EncodeProgress {
  /** Texts encoded so far. */
  done: number;
  /** Texts of the call. */
  total: number;
}

/** Options of one call. */
export interface CallOptions extends Omit<EncodeOptions, "normalization"> {
  /** Aborts the call between two batches; it throws the signal's reason. */
  signal?: AbortSignal;
  /** Called after each batch. */
  onProgress?: (progress: EncodeProgress) => void;
}

/** Options of a stream. */
export interface StreamOptions extends Omit<CallOptions, "onProgress"> {
  /**
   * Most texts that are read ahead, 1024 by default. Fewer take less memory
   * and give the first embeddings sooner; more leave less padding in batches.
   */
  readAhead?: number;
}

const KEYS = [
  "queryLength",
  "documentLength",
  "dimensions",
  "prompt",
  "queryExpansion",
  "truncation",
  "normalization",
  "poolFactor",
  "protectedTokens",
  "batchSize",
  "tokenBudget",
] as const satisfies readonly (keyof EncodeOptions)[];

/**
 * Merges options of encoding, the last given winning, and leaves out all
 * others. The engine checks the values.
 *
 * @internal
 */
export function encodeOptions(...layers: (EncodeOptions | undefined)[]): EncodeOptions {
  const merged: Record<string, unknown> = {};
  for (const layer of layers) {
    const given = KEYS.filter((key) => layer?.[key] !== undefined);
    // The two limits of a batch exclude each other: either one of a call
    // replaces both of the encoder.
    if (given.includes("batchSize")) delete merged.tokenBudget;
    if (given.includes("tokenBudget")) delete merged.batchSize;
    for (const key of given) merged[key] = layer?.[key];
  }
  return merged as EncodeOptions;
}
