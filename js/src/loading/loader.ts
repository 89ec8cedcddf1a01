// Gets the files of a model from where they are, or from the cache.

import { optionError } from "../errors.js";
import type { Precision } from "../options.js";
import { settled } from "../platform.js";
import type { ModelCache } from "./cache.js";
import { type Collected, collect, type Planner } from "./collect.js";
import { Fetcher } from "./fetcher.js";
import { diskFolder, type Folder, givenFiles, hubFolder, webFolder } from "./folder.js";
import { authorized, explain, type HubListing, type HubModel, listingUrl, nameOf, readListing } from "./hub.js";
import { CONFIGS, TOKENIZER } from "./layout.js";
import type { FileOptions, HubInfo } from "./options.js";
import { type LoadRecord, Records, recordName, unfinished } from "./record.js";
import { isUnreachable, request } from "./request.js";
import { type Address, type Source, withoutQuery } from "./source.js";

/** @internal */
export interface LoadedFiles extends Collected {
  hub: HubInfo | null;
}

/** Milliseconds that a hub has to answer where the cache has the model. */
const PATIENCE = 10_000;

/** @internal Milliseconds that a load that failed may take to store what has arrived. */
export const LONGEST_STORING = 5_000;

/** @internal */
export interface LoaderOptions {
  options: FileOptions;
  cache: ModelCache | undefined;
  planner: Planner;
}

/** @internal */
export class Loader {
  readonly #options: FileOptions;
  readonly #cache: ModelCache | undefined;
  readonly #planner: Planner;
  readonly #records: Records;

  constructor({ options, cache, planner }: LoaderOptions) {
    this.#options = options;
    this.#cache = cache;
    this.#planner = planner;
    this.#records = new Records(cache);
  }

  async fromFolder(address: Address): Promise<Collected> {
    const { requestInit, precision } = this.#options;
    if (address.type === "disk") return this.collect(() => diskFolder(address));
    const name = recordName(address.url.href, precision);
    const folder = webFolder(address, requestInit);
    const known = await this.#records.complete(name);
    return known === undefined ? this.#recorded({ name, commit: null, folder }) : this.#again(folder, known);
  }

  async fromHub(model: HubModel): Promise<LoadedFiles> {
    const { id, revision } = model;
    const name = recordName(nameOf(model), this.#options.precision);
    const known = await this.#records.complete(name);
    // A commit never changes.
    if (known?.commit === revision) {
      return { ...(await this.#fromCache(model, known)), hub: { id, revision, commit: revision, offline: false } };
    }
    try {
      const listing = await this.#list(model, known && PATIENCE);
      const { commit } = listing;
      const folder = hubFolder(model, listing, this.#options.requestInit);
      const files =
        known?.commit === commit ? await this.#again(folder, known) : await this.#recorded({ name, commit, folder });
      return { ...files, hub: { id, revision, commit, offline: false } };
    } catch (error) {
      if (!isUnreachable(error) || known === undefined || known.commit === null) throw error;
      const { commit } = known;
      return { ...(await this.#fromCache(model, known)), hub: { id, revision, commit, offline: true } };
    }
  }

  #fromCache(model: HubModel, known: LoadRecord): Promise<Collected> {
    const files = new Map(known.files.map(({ path, hash, size }) => [path, { path, hash: hash ?? undefined, size }]));
    const commit = known.commit ?? model.revision;
    return this.#again(hubFolder(model, { commit, files }, this.#options.requestInit), known);
  }

  async three(files: (Source & { type: "three" })["files"]): Promise<Collected> {
    const { model, tokenizer, config } = files;
    const given = { [CONFIGS[0]]: config, [TOKENIZER]: tokenizer, [GRAPHS.fp32]: model };
    const places = new Map(Object.entries(given).map(([path, { place }]) => [path, place]));
    const names = new Map(Object.entries(given).map(([path, { name }]) => [path, name]));
    const folder = givenFiles(places, this.#options.requestInit, names);
    return this.#attempt(folder, async (fetcher) => {
      const contents = { [CONFIGS[0]]: await fetcher.content(CONFIGS[0]) };
      const [own, bytes] = await Promise.all([fetcher.content(TOKENIZER), fetcher.content(GRAPHS.fp32)]);
      const found = contains(bytes, "MatMulInteger") || contains(bytes, "QLinearMatMul") ? "int8" : "fp32";
      const { precision = found } = this.#options;
      if (precision !== found) throw optionError("precision", `"${found}", which \`${model.name}\` is`, precision);
      const path = GRAPHS[found];
      return {
        location: "",
        paths: [CONFIGS[0], TOKENIZER, path],
        contents: { ...contents, [TOKENIZER]: own },
        weights: path,
        large: [{ path, bytes }],
      };
    });
  }

  /** Gets the files of a folder that is not cached as a whole. */
  async collect(open: () => Folder | Promise<Folder>): Promise<Collected> {
    const folder = await open();
    return this.#attempt(folder, (fetcher) => this.#collect(fetcher));
  }

  #collect(fetcher: Fetcher): Promise<Collected> {
    return collect({ fetcher, planner: this.#planner, precision: this.#options.precision });
  }

  /** Gets files, and notes which they were. */
  #recorded({ name, commit, folder }: { name: string; commit: string | null; folder: Folder }): Promise<Collected> {
    return this.#attempt(folder, async (fetcher) => {
      try {
        const found = await this.#collect(fetcher);
        const { paths, weights } = found;
        await this.#records.write(name, { version: 1, commit, paths, weights, files: fetcher.recorded });
        await this.#records.remove([unfinished(name)]);
        return found;
      } catch (error) {
        // So that what is left of it can be deleted.
        const { asked } = fetcher;
        if (asked.length > 0) {
          await this.#records.write(unfinished(name), { version: 1, commit, paths: [], weights: "", files: asked });
        }
        throw error;
      }
    });
  }

  /** Gets the files of a record. */
  #again(folder: Folder, { paths, weights, files }: LoadRecord): Promise<Collected> {
    return this.#attempt(folder, async (fetcher) => {
      const contents: Record<string, Uint8Array> = {};
      const large: Collected["large"] = [];
      const get = async (path: string, role: "content" | "large") => {
        if (role === "content") contents[path] = await fetcher.content(path);
        else large.push({ path, bytes: await fetcher.large(path) });
      };
      await Promise.all(files.map(({ path, role }) => get(path, role)));
      return { location: folder.location, paths, contents, weights, large };
    });
  }

  async #list(model: HubModel, patience: number | undefined): Promise<HubListing> {
    const url = listingUrl(model);
    const init = authorized(model, this.#options.requestInit);
    const signal = this.#options.signal ?? new AbortController().signal;
    try {
      const response = await request(url, { init, signal, ...(patience !== undefined && { patience }) });
      return readListing(new Uint8Array(await response.arrayBuffer()), withoutQuery(url));
    } catch (error) {
      throw explain(error, model);
    }
  }

  /** When one file fails, the other downloads stop. */
  async #attempt(folder: Folder, run: (fetcher: Fetcher) => Promise<Collected>): Promise<Collected> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    const abort = new AbortController();
    const stop = () => abort.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    const fetcher = new Fetcher({ folder, cache: this.#cache, options: this.#options, signal: abort.signal });
    try {
      const found = await run(fetcher);
      fetcher.finish();
      return found;
    } catch (error) {
      abort.abort(error);
      // What has arrived of the others is stored.
      await settled(fetcher.settled(), LONGEST_STORING);
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }
}

// The name tells the engine the precision.
const GRAPHS: Record<Precision, string> = { int8: "model_int8.onnx", fp32: "model.onnx" };

// Looks for the names of quantized operators: file names of a user's own say nothing.
function contains(bytes: Uint8Array, text: string): boolean {
  const wanted = new TextEncoder().encode(text);
  const first = wanted[0] ?? 0;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return true;
  }
  return false;
}
