/** Which side of retrieval a text is on. */
export type TextKind = "query" | "document";

/** Numeric form of the weights. */
export type Precision = "fp32" | "int8";

/** Options of encoding; those of a call go before those of the encoder. */
export interface EncodeOptions {
  /** Most tokens of a query, special tokens and marker included; the model's own length by default. */
  queryLength?: number;
  /** Most tokens of a document, likewise. */
  documentLength?: number;
  /** Whether queries are filled up with mask tokens; `"model"`: as the configuration says. */
  queryExpansion?: "model" | "on" | "off";
  /** What to do with longer texts: cut and report, or throw `text_too_long`. */
  truncation?: "truncate" | "error";
  /** Whether rows are scaled to length 1. Fixed when the encoder is loaded. */
  normalization?: "l2" | "off";
  /** Documents keep about one row in `poolFactor`; 1 pools nothing. */
  poolFactor?: number;
  /** How many first rows are never pooled; 1 by default. */
  protectedTokens?: number;
  /** Most texts of a batch. Excludes `tokenBudget`. */
  batchSize?: number;
  /** Most tokens of a batch, padding included; 320 by default. */
  tokenBudget?: number;
}

/** How far a call of encoding has come. */
export interface EncodeProgress {
  /** Texts that are done. */
  done: number;
  /** Texts of the call. */
  total: number;
}

/** Options of one call of encoding. */
export interface CallOptions extends Omit<EncodeOptions, "normalization"> {
  /** Stops the call between two batches, which then throws the signal's reason. */
  signal?: AbortSignal;
  /** Called after each batch. */
  onProgress?: (progress: EncodeProgress) => void;
}

const KEYS = [
  "queryLength",
  "documentLength",
  "queryExpansion",
  "truncation",
  "normalization",
  "poolFactor",
  "protectedTokens",
  "batchSize",
  "tokenBudget",
] as const satisfies readonly (keyof EncodeOptions)[];

/**
 * The encoding options of several objects, later ones first, without what is
 * not for the engine, which checks them.
 *
 * @internal
 */
export function encodeOptions(...layers: (EncodeOptions | undefined)[]): EncodeOptions {
  const merged: Record<string, unknown> = {};
  for (const layer of layers) {
    const given = KEYS.filter((key) => layer?.[key] !== undefined);
    // The two limits of a batch exclude each other: the one of a call
    // replaces the other of the encoder.
    if (given.includes("batchSize")) delete merged.tokenBudget;
    if (given.includes("tokenBudget")) delete merged.batchSize;
    for (const key of given) merged[key] = layer?.[key];
  }
  return merged as EncodeOptions;
}
