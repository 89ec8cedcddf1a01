/** Codes of the shared core, the same on every platform. */
export type CoreErrorCode =
  | "io"
  | "missing_file"
  | "config_syntax"
  | "config_value"
  | "invalid_tokenizer"
  | "tokenization"
  | "invalid_model"
  | "invalid_file"
  | "model_mismatch"
  | "invalid_option"
  | "text_too_long"
  | "non_finite_vector"
  | "dimension_mismatch"
  | "inference"
  | "hub"
  | "engine_unavailable"
  | "provider_unavailable"
  | "cancelled"
  | "deadline_exceeded"
  | "fingerprint_mismatch"
  | "invalid_input";

/**
 * Codes of this package only.
 *
 * - `http`: the server answered with an error status, see {@link EncoderError.status}.
 * - `network`: no answer, or the connection broke: offline, or blocked by CORS.
 * - `not_a_model`: a web page, a Git LFS pointer or nothing instead of a file.
 * - `integrity`: the length or SHA-256 differs from what was expected.
 * - `out_of_memory`: the model or a batch does not fit.
 * - `unsupported`: the platform lacks what an option asks for.
 * - `disposed`: the encoder was disposed.
 * - `panicked`: a bug in the engine; the encoder is unusable from then on.
 * - `worker`: the worker could not start, or died.
 */
export type PackageErrorCode =
  | "http"
  | "network"
  | "not_a_model"
  | "integrity"
  | "out_of_memory"
  | "unsupported"
  | "disposed"
  | "panicked"
  | "worker";

/** Stable, machine-readable name of an error. */
export type EncoderErrorCode = CoreErrorCode | PackageErrorCode;

/** Details of an {@link EncoderError}. */
export interface EncoderErrorDetails {
  /** HTTP status, for the code `http`. */
  status?: number;
  /** The address that failed, for errors of loading. */
  url?: string;
  /** The underlying error. */
  cause?: unknown;
}

/**
 * Every error of this package. Messages may be reworded, codes stay.
 *
 * An aborted call throws its signal's `reason` instead, an `AbortError` by
 * default, as `fetch` does.
 */
export class EncoderError extends Error {
  /** What went wrong. */
  readonly code: EncoderErrorCode;
  /** HTTP status, for the code `http`. */
  readonly status?: number;
  /** The address that failed, for errors of loading. */
  readonly url?: string;

  constructor(code: EncoderErrorCode, message: string, details: EncoderErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "EncoderError";
    this.code = code;
    if (details.status !== undefined) this.status = details.status;
    if (details.url !== undefined) this.url = details.url;
  }
}

/** @internal An error as plain data, for messages between threads. */
export interface ErrorData {
  code: EncoderErrorCode;
  message: string;
  status?: number;
  url?: string;
}

/** @internal */
export function toData(error: EncoderError): ErrorData {
  const data: ErrorData = { code: error.code, message: error.message };
  if (error.status !== undefined) data.status = error.status;
  if (error.url !== undefined) data.url = error.url;
  return data;
}

/** @internal */
export function fromData(data: ErrorData): EncoderError {
  return new EncoderError(data.code, data.message, data);
}

/** @internal The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** @internal Shorthand for `invalid_option`, worded as in the core. */
export function optionError(option: string, expected: string, found: unknown): EncoderError {
  return new EncoderError("invalid_option", `option \`${option}\`: expected ${expected}, found ${show(found)}`);
}

/** @internal */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return value === null || typeof value !== "object" ? String(value) : Object.prototype.toString.call(value);
}
