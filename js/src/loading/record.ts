// What the cache knows of whole models: which files each needs.

import type { Precision } from "../options.js";
import type { ModelCache } from "./cache.js";
import { isCached } from "./download.js";
import { CacheEntry } from "./entry.js";
import { decodeJson, encodeJson, isObject } from "./json.js";
import type { ContentHash } from "./verify.js";

/** @internal A file that was loaded. */
export interface RecordedFile {
  path: string;
  /** That of its entry in the cache. */
  key: string;
  /** Whether the engine got it whole, or reads it in parts. */
  role: "content" | "large";
  hash: ContentHash | null;
  size: number | null;
}

/** @internal All that is needed to load a model again without a listing. */
export interface LoadRecord {
  version: 1;
  /** Of a model on a hub. */
  commit: string | null;
  paths: string[];
  /** Path of the weights that were chosen. */
  weights: string;
  files: RecordedFile[];
}

/** @internal The name of a model's record. */
export function recordName(name: string, precision: Precision | undefined): string {
  return precision === undefined ? name : `${name} ${precision}`;
}

/** @internal The name of the record of a load that failed. */
export function unfinished(name: string): string {
  return `${name} unfinished`;
}

/** Names all records, so that it is known which files are shared. */
const INDEX = "multivec-models";

/** @internal The records in a cache; where that fails, there are none. */
export class Records {
  readonly #cache: ModelCache | undefined;

  constructor(cache: ModelCache | undefined) {
    this.#cache = cache;
  }

  /** The record of a model whose files are all in the cache. */
  async complete(name: string): Promise<LoadRecord | undefined> {
    const record = await this.#read(name);
    if (record === undefined) return undefined;
    const found = await Promise.all(record.files.map(({ key }) => isCached(this.#cache, key)));
    return found.every(Boolean) ? record : undefined;
  }

  /** Replaces a record; files that only the earlier one needed are removed. */
  async write(name: string, record: LoadRecord): Promise<void> {
    const earlier = await this.#read(name);
    await this.#quietly(async (cache) => {
      await cache.write(keyOf(name), encodeJson(record));
      const names = await this.#names();
      if (!names.includes(name)) await cache.write(INDEX, encodeJson([...names, name]));
    });
    if (earlier !== undefined) await this.#release(earlier.files);
  }

  /** Removes records and the files that no other record names. */
  async remove(names: readonly string[]): Promise<void> {
    const records = await Promise.all(names.map((name) => this.#read(name)));
    await this.#quietly(async (cache) => {
      const left = (await this.#names()).filter((name) => !names.includes(name));
      await cache.write(INDEX, encodeJson(left));
      for (const name of names) await cache.remove(keyOf(name));
    });
    await this.#release(records.flatMap((record) => record?.files ?? []));
  }

  async #release(files: readonly RecordedFile[]): Promise<void> {
    const cache = this.#cache;
    if (cache === undefined) return;
    const others = await Promise.all((await this.#names()).map((name) => this.#read(name)));
    const used = new Set(others.flatMap((record) => record?.files.map(({ key }) => key) ?? []));
    for (const { key } of files) if (!used.has(key)) await (await CacheEntry.open(cache, key)).remove();
  }

  async #names(): Promise<string[]> {
    const list = await this.#json(INDEX);
    return Array.isArray(list) ? list.filter((name) => typeof name === "string") : [];
  }

  async #read(name: string): Promise<LoadRecord | undefined> {
    const found = await this.#json(keyOf(name));
    return isRecord(found) ? found : undefined;
  }

  async #json(key: string): Promise<unknown> {
    const bytes = await this.#cache?.read(key).catch(() => undefined);
    return bytes && decodeJson(bytes);
  }

  async #quietly(write: (cache: ModelCache) => Promise<void>): Promise<void> {
    if (this.#cache !== undefined) await write(this.#cache).catch(() => undefined);
  }
}

function keyOf(name: string): string {
  return `multivec-model:${name}`;
}

function isRecord(value: unknown): value is LoadRecord {
  return (
    isObject(value) &&
    value.version === 1 &&
    (value.commit === null || typeof value.commit === "string") &&
    typeof value.weights === "string" &&
    Array.isArray(value.paths) &&
    Array.isArray(value.files) &&
    value.files.every((file) => isObject(file) && typeof file.path === "string" && typeof file.key === "string")
  );
}
