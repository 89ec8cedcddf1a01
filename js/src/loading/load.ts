// The three files of a model, from wherever they are.

import { EncoderError, messageOf, optionError } from "../errors.js";
import type { Precision } from "../options.js";
import { node } from "../platform.js";
import type { FileNames } from "../wasm.js";
import { openCache, type CacheOption, type ModelCache } from "./cache.js";
import { download, isCached } from "./download.js";
import { candidates, describe, isFolder, type Candidate, type FileKind, type ModelSource } from "./source.js";
import { allocate, checkContent, checkHash, sha256 } from "./verify.js";

/** How far the loading of a file has come. */
export interface LoadProgress {
  /** Where the bytes come from; `local` is a disk or memory. */
  phase: "network" | "cache" | "local";
  /** Which file. */
  file: FileKind;
  /** Bytes so far. */
  loaded: number;
  /** Bytes of the file; `null` where the server does not tell. */
  total: number | null;
}

/** Options of loading a model's files. */
export interface FileOptions {
  /** Which weights; by default INT8 where the model has them. */
  precision?: Precision;
  /** Where downloads are kept; see {@link CacheOption}. `true` by default. */
  cache?: CacheOption;
  /** SHA-256 of the files, in hexadecimal. A cached file that differs is fetched again. */
  sha256?: Partial<Record<FileKind, string>>;
  /** Passed to `fetch`, such as headers or credentials. */
  requestInit?: RequestInit;
  /** Called as bytes come in. */
  onProgress?: (progress: LoadProgress) => void;
  /** Ends loading, which then throws the signal's reason. What was downloaded is kept, to be continued. */
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
  // One file that fails ends the others.
  const abort = new AbortController();
  const stop = () => abort.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const load = (kind: FileKind) => loadFirst(kind, from[kind], { ...options, signal: abort.signal }, cache, isFolder(source));
  try {
    // A wrong address shows before the large files are asked for.
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
  // What is cached needs no server to say that it has nothing better.
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
      // Servers that answer anything tell more than those that say 404.
      if (error.code === "not_a_model" || error.status === 401 || error.status === 403) refused ??= error;
    }
  }
  if (refused !== undefined) throw refused;
  const tried = from.map(describe).join(", ");
  throw new EncoderError("missing_file", `${WHAT[kind]} is missing: expected one of ${tried}, found none`);
}

// Whether another name may do: some servers answer 403, or a page, for files
// that are not there.
function isAbsence(error: unknown): error is EncoderError {
  if (!(error instanceof EncoderError)) return false;
  const statuses = [401, 403, 404, 410];
  return error.code === "missing_file" || error.code === "not_a_model" || (error.code === "http" && statuses.includes(error.status ?? 0));
}

async function loadOne(kind: FileKind, from: Candidate, options: OneFile, cache: ModelCache | undefined): Promise<Uint8Array> {
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

// A copy, because it will be transferred to a worker.
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
  const known = from.precision ?? (contains(bytes, "MatMulInteger") || contains(bytes, "QLinearMatMul") ? "int8" : "fp32");
  if (asked !== undefined && asked !== known) throw optionError("precision", `"${known}", which \`${from.name}\` is`, asked);
  return known;
}

// Operators of quantized graphs, by name: the file names of a user say nothing.
function contains(bytes: Uint8Array, text: string): boolean {
  const wanted = new TextEncoder().encode(text);
  const first = wanted[0] ?? 0;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return true;
  }
  return false;
}
