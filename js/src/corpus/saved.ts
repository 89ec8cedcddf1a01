// Corpora in the cache that also has models. The engine's thread reads and writes them, except for caches of the
// caller's own, which cannot be sent to it.

import type { Engine } from "../engine/engine.js";
import { corpusKey, type OpenCorpus, saveIn } from "../engine/scoring.js";
import { optionError } from "../errors.js";
import { type ModelCache, openCache } from "../loading/cache.js";
import type { SavedOptions } from "./options.js";

/** @internal `null` where there is none. */
export async function readSaved(engine: Engine, name: string, options: SavedOptions): Promise<OpenCorpus | null> {
  const cache = await kept(options);
  if (typeof cache !== "object") return engine.scoring("corpus-open", { name, cache }, {});
  const bytes = await cache.read(corpusKey(name));
  return bytes === undefined ? null : engine.scoring("corpus-parse", { name, bytes: bytes.slice() }, {});
}

/** @internal */
export async function writeSaved(engine: Engine, corpus: number, name: string, options: SavedOptions): Promise<void> {
  const cache = await kept(options);
  if (typeof cache !== "object") {
    await engine.scoring("corpus-save", { corpus, name, cache }, {});
    return;
  }
  const { bytes } = await engine.scoring("corpus-bytes", { corpus }, {});
  await saveIn(cache, name, bytes);
}

/** @internal */
export async function removeSaved(name: string, options: SavedOptions): Promise<void> {
  const cache = await kept(options);
  await (typeof cache === "object" ? cache : await openCache(cache))?.remove(corpusKey(name));
}

async function kept({ cache = true }: SavedOptions): Promise<ModelCache | string | true> {
  if ((cache as unknown) === false)
    throw optionError("cache", "true, a name, or an object with read, write and remove", cache);
  if (typeof cache === "object") await openCache(cache);
  return cache;
}
