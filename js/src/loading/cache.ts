// Where downloads are kept: the Cache API in browsers, a folder in Node.

import { EncoderError, messageOf, optionError } from "../errors.js";
import { type NodeParts, node } from "../platform.js";

/**
 * A store for downloads, such as one over IndexedDB; keys are arbitrary
 * strings. Where a call fails, loading goes on without the cache.
 */
export interface ModelCache {
  /** The bytes of a key; `undefined` where it has none. */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Stores bytes, replacing earlier ones. */
  write(key: string, bytes: Uint8Array): Promise<void>;
  /** Removes a key. */
  remove(key: string): Promise<void>;
}

/**
 * - `true`: the default store; where the platform has none, nothing is kept.
 * - `false`: no cache.
 * - a string: the name of a cache in browsers, a folder in Node.
 */
export type CacheOption = boolean | string | ModelCache;

const DEFAULT_NAME = "multivec";

/** @internal */
export async function openCache(option: CacheOption = true): Promise<ModelCache | undefined> {
  if (option === false) return undefined;
  if (typeof option === "object") {
    const methods = ["read", "write", "remove"] as const;
    if (option !== null && methods.every((name) => typeof option[name] === "function")) return option;
    throw optionError("cache", "true, false, a name, or an object with read, write and remove", option);
  }
  const name = typeof option === "string" ? option : undefined;
  const parts = node();
  if (parts !== undefined) return new FolderCache(parts, name);
  try {
    return new BrowserCache(await globalThis.caches.open(name ?? DEFAULT_NAME));
  } catch (cause) {
    // Absent without HTTPS, and refused in some private windows.
    if (name === undefined) return undefined;
    throw new EncoderError(
      "unsupported",
      `the cache ${name}: the Cache API is not available here: ${messageOf(cause)}`,
      { cause },
    );
  }
}

class BrowserCache implements ModelCache {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    const response = await this.#cache.match(address(key));
    return response && new Uint8Array(await response.arrayBuffer());
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.#cache.put(address(key), new Response(bytes as Uint8Array<ArrayBuffer>));
  }

  async remove(key: string): Promise<void> {
    await this.#cache.delete(address(key));
  }
}

// The Cache API takes only web addresses. The domain `invalid` never resolves.
function address(key: string): string {
  return `https://multivec.invalid/${encodeURIComponent(key)}`;
}

class FolderCache implements ModelCache {
  readonly #parts: NodeParts;
  readonly #name: string | undefined;

  constructor(parts: NodeParts, name: string | undefined) {
    this.#parts = parts;
    this.#name = name;
  }

  // Found when it is used: some runtimes let code see the home only by permission.
  get #folder(): string {
    const { os, path } = this.#parts;
    return this.#name ?? path.join(os.homedir(), ".cache", DEFAULT_NAME);
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#parts.fs.readFile(await this.#path(key));
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const { fs } = this.#parts;
    const path = await this.#path(key);
    await fs.mkdir(this.#folder, { recursive: true });
    // Written under another name and renamed, so that nobody reads half a file.
    const temporary = `${path}.${Math.random().toString(36).slice(2)}`;
    await fs.writeFile(temporary, bytes);
    await fs.rename(temporary, path);
  }

  async remove(key: string): Promise<void> {
    await this.#parts.fs.rm(await this.#path(key), { force: true });
  }

  // A hash, because keys may be too long for a file name, or have characters that it may not have.
  async #path(key: string): Promise<string> {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
    return this.#parts.path.join(this.#folder, hex(digest));
  }
}

/** @internal */
export function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
