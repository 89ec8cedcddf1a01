// Gets the files of one folder, each in its own way.

import { EncoderError, messageOf, optionError } from "../errors.js";
import { node } from "../platform.js";
import type { ModelCache } from "./cache.js";
import { download } from "./download.js";
import type { Folder } from "./folder.js";
import { CONFIGS, kindOf } from "./layout.js";
import type { FileOptions } from "./options.js";
import type { RecordedFile } from "./record.js";
import type { Content, FileKind } from "./source.js";
import { allocate, checkContent, checkHash, sha256 } from "./verify.js";

/** @internal */
export interface FetcherOptions {
  folder: Folder;
  cache: ModelCache | undefined;
  options: FileOptions;
  signal: AbortSignal;
}

/** @internal */
export class Fetcher {
  readonly folder: Folder;
  /** What came from the web or the cache. */
  readonly recorded: RecordedFile[] = [];
  /** What was asked for there. */
  readonly asked: RecordedFile[] = [];
  readonly #cache: ModelCache | undefined;
  readonly #options: FileOptions;
  readonly #signal: AbortSignal;
  readonly #checked = new Set<string>();
  readonly #running: Promise<unknown>[] = [];

  constructor({ folder, cache, options, signal }: FetcherOptions) {
    this.folder = folder;
    this.#cache = cache;
    this.#options = options;
    this.#signal = signal;
  }

  /** The content of a small file. */
  async content(path: string): Promise<Uint8Array> {
    const found = await this.#get(path, "content");
    return found instanceof Blob ? copy(found, this.folder.nameOf(path)) : found;
  }

  /** A file that is read in parts: of the user's own disk, it stays there. */
  large(path: string): Promise<Uint8Array | Blob> {
    return this.#get(path, "large");
  }

  /** Refuses hashes of files that were not loaded. */
  finish(): void {
    const unknown = Object.keys(this.#options.sha256 ?? {}).find((key) => !this.#checked.has(key));
    if (unknown !== undefined) throw optionError("sha256", "files that are loaded", unknown);
  }

  /** Resolves once no file is being read or stored. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #get(path: string, role: RecordedFile["role"]): Promise<Uint8Array | Blob> {
    const getting = this.#read(path, role);
    this.#running.push(getting);
    return getting;
  }

  async #read(path: string, role: RecordedFile["role"]): Promise<Uint8Array | Blob> {
    const { folder } = this;
    const kind = kindOf(path);
    const place = folder.locate(path);
    const expected = this.#expected(path, kind);
    const { onProgress } = this.#options;
    if (place.type === "web") {
      const { url, key, hash, size, requestInit } = place;
      const file = { path, key, role, hash: hash ?? null, size };
      this.asked.push(file);
      const bytes = await download({
        url,
        path,
        cache: this.#cache,
        key,
        hash,
        size,
        sha256: expected,
        requestInit,
        signal: this.#signal,
        onProgress: (phase, loaded, total) => onProgress?.({ phase, file: kind, path, loaded, total }),
      });
      this.recorded.push(file);
      return bytes;
    }
    const where = folder.nameOf(path);
    const bytes =
      place.type === "disk"
        ? await readDisk(place.path)
        : place.bytes instanceof Blob && expected === undefined
          ? place.bytes
          : await copy(place.bytes, where);
    this.#signal.throwIfAborted();
    const start = bytes instanceof Blob ? await copy(bytes.slice(0, 256), where) : bytes;
    checkContent(path, start, where);
    if (expected !== undefined && !(bytes instanceof Blob)) await checkHash(await sha256(bytes), expected, where);
    const length = bytes instanceof Blob ? bytes.size : bytes.length;
    onProgress?.({ phase: "local", file: kind, path, loaded: length, total: length });
    return bytes;
  }

  // By path; the three files of an exported model also by kind.
  #expected(path: string, kind: FileKind): string | undefined {
    const { sha256 = {} } = this.#options;
    const isNamed = kind === "tokenizer" || path.endsWith(".onnx") || (CONFIGS as readonly string[]).includes(path);
    const keys = isNamed ? [path, kind] : [path];
    const key = keys.find((key) => sha256[key] !== undefined);
    if (key === undefined) return undefined;
    this.#checked.add(key);
    return sha256[key];
  }
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
async function copy(bytes: Content, where: string): Promise<Uint8Array> {
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
