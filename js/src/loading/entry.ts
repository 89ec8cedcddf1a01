// One download in a cache: a manifest, and the bytes in parts, so that an
// unfinished download can be resumed.

import type { ModelCache } from "./cache.js";

/** @internal */
export interface Manifest {
  version: 1;
  /** Bytes of the whole file. */
  length: number;
  /** Value for `If-Range`: a strong ETag, or the date of the last change. */
  validator: string | null;
  /** Bytes of each stored part. */
  parts: number[];
  /** Of the whole file, once it is complete. */
  sha256: string | null;
  complete: boolean;
}

/** @internal Bytes of a part, the most that an interrupted download loses. */
export const PART = 4 * 1024 * 1024;

/**
 * The cache is optional: where it fails (it is full, or was deleted), the entry
 * gives up, and the download goes on without it.
 *
 * @internal
 */
export class CacheEntry {
  manifest: Manifest | undefined;
  readonly #cache: ModelCache;
  readonly #key: string;

  private constructor(cache: ModelCache, key: string) {
    this.#cache = cache;
    this.#key = key;
  }

  static async open(cache: ModelCache, key: string): Promise<CacheEntry> {
    const entry = new CacheEntry(cache, key);
    try {
      const bytes = await cache.read(key);
      entry.manifest = bytes && parse(bytes);
    } catch {
      // Treated as absent.
    }
    return entry;
  }

  /** Bytes stored so far. */
  get size(): number {
    return this.manifest?.parts.reduce((sum, part) => sum + part, 0) ?? 0;
  }

  /** Copies the parts to the start of `target`; false if one differs from the manifest. */
  async read(target: Uint8Array, onBytes: (loaded: number) => void): Promise<boolean> {
    let at = 0;
    for (const [index, length] of (this.manifest?.parts ?? []).entries()) {
      const bytes = await this.#cache.read(this.#part(index)).catch(() => undefined);
      if (bytes?.length !== length || at + length > target.length) return false;
      target.set(bytes, at);
      at += length;
      onBytes(at);
    }
    return true;
  }

  /** Replaces the entry by an empty one. */
  async begin(length: number, validator: string | null): Promise<void> {
    await this.remove();
    this.manifest = { version: 1, length, validator, parts: [], sha256: null, complete: false };
  }

  async append(bytes: Uint8Array): Promise<void> {
    const { manifest } = this;
    if (manifest === undefined || bytes.length === 0) return;
    await this.#try(async () => {
      await this.#cache.write(this.#part(manifest.parts.length), bytes);
      manifest.parts.push(bytes.length);
      await this.#save();
    });
  }

  async complete(sha256: string | null): Promise<void> {
    const { manifest } = this;
    if (manifest === undefined) return;
    manifest.sha256 = sha256;
    manifest.complete = true;
    await this.#try(() => this.#save());
  }

  /** Removes the entry. */
  async remove(): Promise<void> {
    const parts = this.manifest?.parts.length ?? 0;
    this.manifest = undefined;
    // The manifest first: parts without one are never read.
    const keys = [this.#key, ...Array.from({ length: parts }, (_, index) => this.#part(index))];
    for (const key of keys) await this.#cache.remove(key).catch(() => undefined);
  }

  #save(): Promise<void> {
    return this.#cache.write(this.#key, new TextEncoder().encode(JSON.stringify(this.manifest)));
  }

  #part(index: number): string {
    return `${this.#key}#part-${index}`;
  }

  async #try(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch {
      await this.remove();
    }
  }
}

function parse(bytes: Uint8Array): Manifest | undefined {
  const found = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Manifest> | null;
  const valid =
    found?.version === 1 &&
    Number.isSafeInteger(found.length) &&
    Array.isArray(found.parts) &&
    found.parts.every((part) => Number.isSafeInteger(part) && part > 0);
  return valid ? (found as Manifest) : undefined;
}
