// Options and results of loading.

import { optionError } from "../errors.js";
import type { Precision } from "../options.js";
import type { CacheOption } from "./cache.js";
import type { HubOptions } from "./hub.js";
import type { FileKind } from "./source.js";

/** Progress of loading one file. */
export interface LoadProgress {
  /** Where the bytes come from; `local` means disk or memory. */
  phase: "network" | "cache" | "local";
  /** What the file is for. */
  file: FileKind;
  /** Its path in the model's folder. */
  path: string;
  /** Bytes so far. */
  loaded: number;
  /** Bytes of the file; `null` if the server does not say. */
  total: number | null;
}

/** Options of loading a model's files. */
export interface FileOptions extends HubOptions {
  /**
   * Precision of the weights; by default an INT8 graph if the model has one,
   * then safetensors, quantized as they are loaded, then other graphs. `"fp32"`
   * is all that is not quantized.
   */
  precision?: Precision;
  /** Where downloads are kept; see {@link CacheOption}. `true` by default. */
  cache?: CacheOption;
  /**
   * SHA-256 of files, in hexadecimal, by their paths; those of an exported
   * model also by `model`, `tokenizer` and `config`. A cached file that differs
   * is downloaded again.
   */
  sha256?: { readonly [file: string]: string };
  /** Passed to `fetch`, such as headers or credentials. */
  requestInit?: RequestInit;
  /** Called as bytes arrive. */
  onProgress?: (progress: LoadProgress) => void;
  /** Aborts loading, which then throws the signal's reason. The next load resumes the downloads. */
  signal?: AbortSignal;
}

/** Which model in the cache. */
export type CachedModelOptions = Pick<FileOptions, "cache" | "endpoint" | "precision" | "revision">;

/** Where a model of a hub came from. */
export interface HubInfo {
  /** The model's id. */
  id: string;
  /** The revision that was asked for. */
  revision: string;
  /** The commit that it was. */
  commit: string;
  /** Whether the hub could not be reached, so that the cache served what it had. */
  offline: boolean;
}

/** @internal */
export function checkPrecision(precision: Precision | undefined): void {
  if (precision !== undefined && precision !== "int8" && precision !== "fp32") {
    throw optionError("precision", '"int8" or "fp32"', precision);
  }
}
