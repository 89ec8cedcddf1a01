// Reads the three files of a model.

import { EncoderError, messageOf, optionError } from "../errors.js";
import type { Precision } from "../options.js";
import { node } from "../platform.js";
import type { FileNames } from "../wasm.js";
import { type CacheOption, type ModelCache, openCache } from "./cache.js";
import { download, isCached } from "./download.js";
import { type Candidate, candidates, describe, type FileKind, isFolder, type ModelSource } from "./source.js";
import { allocate, checkContent, checkHash, sha256 } from "./verify.js";

/** Progress of loading one file. */
export interface LoadProgress {
  /** Where the bytes come from; `local` means disk or memory. */
  phase: "network" | "cache" | "local";
  /** The file. */
  file: FileKind;
  /** Bytes so far. */
  loaded: number;
  /** Bytes of the file; `null` if the server does not say. */
  total: number | null;
}

/** Options of loading a model's files. */
export interface FileOptions {
  /** Precision of the weights; by default INT8 if the model has it, else FP32. */
  precision?: Precision;
  /** Where downloads are kept; see {@link CacheOption}. `true` by default. */
  cache?: CacheOption;
  /** SHA-256 of the files, in hexadecimal. A cached file that differs is downloaded again. */
  sha256?: Partial<Record<FileKind, string>>;
  /** Passed to `fetch`, such as headers or credentials. */
  requestInit?: RequestInit;
  /** Called as bytes arrive. */
  onProgress?: (progress: LoadProgress) => void;
  /** Aborts loading, which then throws the signal's reason. The next load resumes the downloads. */
  signal?: AbortSignal;
}

/** @internal */
export interface LoadedFiles {
  bytes: Record<FileKind, Uint8Array>;
  names: FileNames;
  precision: Precision;
}

const WHAT: Record<FileKind, string> = {
  config: "the configuration",
  tokenizer: "the tokenizer",
  model: "the model",
};

/** @internal */
export async function loadFiles(source: ModelSource, options: FileOptions): Promise<LoadedFiles> {
  const { precision, signal } = options;
  if (precision !== undefined && precision !== "int8" && precision !== "fp32") {
    throw optionError("precision", '"int8" or "fp32"', precision);
  }
  signal?.throwIfAborted();
  const from = candidates(source, precision);
  const cache = await openCache(options.cache);
  // When one file fails, the other downloads stop.
  const abort = new AbortController();
  const stop = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const load = (kind: FileKind) =>
    loadFirst(kind, from[kind], { ...options, signal: abort.signal }, cache, isFolder(source));
  try {
    // First, because it is small: a wrong address fails before large files are requested.
    const config = await load("config");
    const [tokenizer, model] = await Promise.all([load("tokenizer"), load("model")]);
    return {
      bytes: { config: config.bytes, tokenizer: tokenizer.bytes, model: model.bytes },
      names: { config: config.from.name, tokenizer: tokenizer.from.name, model: model.from.name },
      precision: precisionOf(model, precision),
    };
  } catch (error) {
    abort.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

type Loaded = { bytes: Uint8Array; from: Candidate };
type OneFile = FileOptions & { signal: AbortSignal };

async function loadFirst(
  kind: FileKind,
  from: Candidate[],
  options: OneFile,
  cache: ModelCache | undefined,
  folder: boolean,
): Promise<Loaded> {
  // A cached candidate is used without asking the server for better ones.
  for (const one of from) {
    if (from.length > 1 && one.place.type === "web" && (await isCached(cache, one.place.url))) {
      return { bytes: await loadOne(kind, one, options, cache), from: one };
    }
  }
  let refused: EncoderError | undefined;
  for (const one of from) {
    try {
      return { bytes: await loadOne(kind, one, options, cache), from: one };
    } catch (error) {
      if (!folder || !isAbsence(error)) throw error;
      // Kept, because it says more than that no file was found.
      if (error.code === "not_a_model" || error.status === 401 || error.status === 403) refused ??= error;
    }
  }
  if (refused !== undefined) throw refused;
  const tried = from.map(describe).join(", ");
  throw new EncoderError("missing_file", `${WHAT[kind]} is missing: expected one of ${tried}, found none`);
}

// Whether to try the next name: some servers answer 403, or a page, for files
// that do not exist.
function isAbsence(error: unknown): error is EncoderError {
  if (!(error instanceof EncoderError)) return false;
  const statuses = [401, 403, 404, 410];
  return (
    error.code === "missing_file" ||
    error.code === "not_a_model" ||
    (error.code === "http" && statuses.includes(error.status ?? 0))
  );
}

async function loadOne(
  kind: FileKind,
  from: Candidate,
  options: OneFile,
  cache: ModelCache | undefined,
): Promise<Uint8Array> {
  const { place } = from;
  const expected = options.sha256?.[kind];
  if (place.type === "web") {
    return download({
      url: place.url,
      kind,
      cache,
      sha256: expected,
      requestInit: options.requestInit,
      signal: options.signal,
      onProgress: (phase, loaded, total) => options.onProgress?.({ phase, file: kind, loaded, total }),
    });
  }
  const where = describe(from);
  const bytes = place.type === "disk" ? await readDisk(place.path) : await copy(place.bytes, where);
  options.signal.throwIfAborted();
  checkContent(kind, bytes, where);
  if (expected !== undefined) await checkHash(await sha256(bytes), expected, where);
  options.onProgress?.({ phase: "local", file: kind, loaded: bytes.length, total: bytes.length });
  return bytes;
}

async function readDisk(path: string): Promise<Uint8Array> {
  try {
    return (await node()?.fs.readFile(path)) ?? new Uint8Array();
  } catch (cause) {
    const missing = (cause as { code?: string }).code === "ENOENT";
    const text = missing ? `${path} is missing` : `${path}: reading failed: ${messageOf(cause)}`;
    throw new EncoderError(missing ? "missing_file" : "io", text, { cause });
  }
}

// A copy, because the buffer is transferred to a worker.
async function copy(bytes: Blob | ArrayBuffer | Uint8Array, where: string): Promise<Uint8Array> {
  if (bytes instanceof Blob) {
    try {
      return new Uint8Array(await bytes.arrayBuffer());
    } catch (cause) {
      throw new EncoderError("io", `${where}: reading failed: ${messageOf(cause)}`, { cause });
    }
  }
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const own = allocate(view.length, where);
  own.set(view);
  return own;
}

function precisionOf({ bytes, from }: Loaded, asked: Precision | undefined): Precision {
  const known =
    from.precision ?? (contains(bytes, "MatMulInteger") || contains(bytes, "QLinearMatMul") ? "int8" : "fp32");
  if (asked !== undefined && asked !== known)
    throw optionError("precision", `"${known}", which \`${from.name}\` is`, asked);
  return known;
}

// Looks for the names of quantized operators: file names of a user's own say nothing.
function contains(bytes: Uint8Array, text: string): boolean {
  const wanted = new TextEncoder().encode(text);
  const first = wanted[0] ?? 0;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return true;
  }
  return false;
}
