// Finds out which files of a folder a model needs, and gets them.

import { EncoderError } from "../errors.js";
import type { Precision } from "../options.js";
import type { Listing, Plan, WeightsPlan } from "../wasm.js";
import { type External, type LargeFile, withExternal } from "./external.js";
import type { Fetcher } from "./fetcher.js";
import {
  CONFIGS,
  folderOf,
  HEADS,
  isDescriptive,
  join,
  MODELS,
  moduleFolders,
  ofModule,
  ROOT,
  ROUTER,
  routeFolders,
  TOKENIZER,
  WEIGHTS,
} from "./layout.js";

/** @internal The engine's reading of listings. */
export interface Planner {
  /** Which files it needs. */
  plan(files: Listing, precision: Precision | undefined): Promise<Plan>;
  /** Which files hold weights of a graph. */
  external(graph: LargeFile): Promise<External>;
  /** Refuses a model of another kind, before its weights are downloaded. */
  accept(plan: Plan): void;
}

/** @internal All files that the engine needs. */
export interface Collected extends Listing {
  /** Path of the weights. */
  weights: string;
  /** Files that are read in parts. */
  large: LargeFile[];
}

/** @internal What to collect. */
export interface Wanted {
  fetcher: Fetcher;
  planner: Planner;
  precision: Precision | undefined;
}

/** @internal */
export function collect(wanted: Wanted): Promise<Collected> {
  const { paths } = wanted.fetcher.folder;
  return paths === undefined ? probe(wanted) : choose(wanted, paths);
}

type Contents = Map<string, Uint8Array>;

async function choose(wanted: Wanted, paths: readonly string[]): Promise<Collected> {
  const { fetcher, planner, precision } = wanted;
  const contents: Contents = new Map();
  const read = async (isWanted: (folder: string) => boolean) => {
    const left = paths.filter((path) => isDescriptive(path) && isWanted(folderOf(path)) && !contents.has(path));
    const found = await Promise.all(left.map((path) => fetcher.content(path)));
    for (const [at, path] of left.entries()) contents.set(path, found[at] as Uint8Array);
  };
  await read((folder) => folder === "");
  const folders = moduleFolders(contents.get("modules.json"));
  await read((folder) => folders.includes(folder));
  const routes = folders.flatMap((folder) => routeFolders(folder, contents.get(join(folder, ROUTER))));
  await read((folder) => routes.includes(folder));
  const plan = await planner.plan(listing(fetcher, paths, contents), precision);
  planner.accept(plan);
  const [weights] = plan.weights;
  if (weights === undefined) throw missing("the weights", fetcher, WEIGHTS);
  const files = weights.files ?? (await shards(wanted, { paths, contents, index: weights.path }));
  const get = async (path: string) => (paths.includes(path) ? { path, bytes: await fetcher.large(path) } : undefined);
  return finish(wanted, { paths, contents, plan, weights: weights.path, files, get });
}

/** The files that an index of several names. */
async function shards(
  { fetcher, planner, precision }: Wanted,
  { paths, contents, index }: { paths: readonly string[]; contents: Contents; index: string },
): Promise<string[]> {
  if (!contents.has(index)) contents.set(index, await fetcher.content(index));
  const plan = await planner.plan(listing(fetcher, paths, contents), precision);
  return plan.weights.find(({ path }) => path === index)?.files ?? [];
}

interface Chosen {
  paths: readonly string[];
  contents: Contents;
  plan: Plan;
  weights: string;
  files: readonly string[];
  /** Those that are here already. */
  held?: LargeFile[];
  /** Gets a file that may not exist. */
  get: (path: string) => Promise<LargeFile | undefined>;
}

async function finish(
  { fetcher, planner }: Wanted,
  { paths, contents, plan, weights, files, held = [], get }: Chosen,
): Promise<Collected> {
  const isHeld = (name: string) => held.some(({ path }) => path === name);
  const names = [...new Set([...files, ...plan.modules])].filter((name) => !isHeld(name));
  const [tokenizer, ...large] = await Promise.all([
    fetcher.content(plan.tokenizer),
    ...names.map((path) => fetcher.large(path)),
  ]);
  contents.set(plan.tokenizer, tokenizer);
  const bytes = large.map((bytes, at) => ({ path: names[at] as string, bytes }));
  const all = await withExternal(weights, [...held, ...bytes], { planner, get });
  return { ...listing(fetcher, paths, contents), weights, large: all };
}

function listing({ folder }: Fetcher, paths: Iterable<string>, contents: Contents): Listing {
  return { location: folder.location, paths: [...paths], contents: Object.fromEntries(contents) };
}

// A folder without a listing: known names are tried, best first.
async function probe(wanted: Wanted): Promise<Collected> {
  const { fetcher, planner, precision } = wanted;
  const tries = new Tries(fetcher);
  const get = (path: string) => tries.first([path]);
  const contents: Contents = new Map();
  // First, because it is small: a wrong address fails before large files are requested.
  await tries.contents(contents, [CONFIGS[0]]);
  const graphs = precision === undefined ? [...MODELS.int8, ...MODELS.fp32] : MODELS[precision];
  if (contents.size > 0) {
    const [model] = await Promise.all([tries.first(graphs), tries.contents(contents, [TOKENIZER])]);
    if (model !== undefined) {
      if (!contents.has(TOKENIZER)) throw tries.refused ?? missing("the tokenizer", fetcher, [TOKENIZER]);
      const paths = [...contents.keys(), model.path];
      const large = await withExternal(model.path, [model], { planner, get });
      return { ...listing(fetcher, paths, contents), weights: model.path, large };
    }
  }
  await tries.contents(contents, ROOT);
  if (contents.size === 0) throw tries.refused ?? missing("the configuration", fetcher, [CONFIGS[0], ...ROOT]);
  const listed = moduleFolders(contents.get("modules.json"));
  const routers = listed.slice(0, 1).map((folder) => join(folder, ROUTER));
  await tries.contents(contents, routers);
  const routes = listed.flatMap((folder) => routeFolders(folder, contents.get(join(folder, ROUTER))));
  const folders = [...listed, ...routes];
  // A transformer may be behind any route.
  const transformers = routes.length === 0 ? [listed[0] ?? ""] : routes;
  await Promise.all(folders.map((folder) => tries.contents(contents, ofModule(folder, transformers.includes(folder)))));
  const weights = transformers.flatMap((folder) => WEIGHTS.map((name) => join(folder, name)));
  const others = [
    ...transformers.map((folder) => join(folder, TOKENIZER)),
    ...folders.map((folder) => join(folder, "model.safetensors")),
  ];
  const planned = (heads: readonly string[]) =>
    planner.plan(listing(fetcher, [...contents.keys(), ...weights, ...others, ...heads], contents), precision);
  let plan = await planned([]);
  const { kind } = plan;
  // Of other kinds, heads have no meaning.
  const heads =
    kind === "dense" || kind === null ? await tries.all(HEADS.map((name) => join(transformers[0]!, name))) : [];
  if (heads.length > 0) plan = await planned(heads.map(({ path }) => path));
  planner.accept(plan);
  const used = heads.filter(({ path }) => plan.modules.includes(path));
  for (const candidate of plan.weights) {
    const found = await attempt(wanted, { contents, candidate, others, tries });
    if (found === undefined) continue;
    const paths = new Set([...contents.keys(), plan.tokenizer, ...plan.modules, ...found.map(({ path }) => path)]);
    const held = [...found, ...used];
    return finish(wanted, { paths: [...paths], contents, plan, weights: candidate.path, files: [], held, get });
  }
  const names = plan.weights.map(({ path }) => path);
  throw tries.refused ?? missing("the model", fetcher, names);
}

interface Attempt {
  contents: Contents;
  candidate: WeightsPlan;
  others: readonly string[];
  tries: Tries;
}

/** The files of weights that may not exist; `undefined` if they do not. */
async function attempt(
  wanted: Wanted,
  { contents, candidate, others, tries }: Attempt,
): Promise<LargeFile[] | undefined> {
  const { path, files } = candidate;
  if (files !== null) {
    const found = await tries.first([path]);
    return found && [found];
  }
  await tries.contents(contents, [path]);
  if (!contents.has(path)) return undefined;
  const names = await shards(wanted, { paths: [...contents.keys(), ...others], contents, index: path });
  const bytes = await Promise.all(names.map((name) => wanted.fetcher.large(name)));
  return names.map((name, at) => ({ path: name, bytes: bytes[at] as Uint8Array | Blob }));
}

/** Requests for files that may not exist. */
class Tries {
  /** An answer that says more than that there is no file. */
  refused: EncoderError | undefined;
  readonly #fetcher: Fetcher;
  readonly #absent = new Set<string>();

  constructor(fetcher: Fetcher) {
    this.#fetcher = fetcher;
  }

  /** Gets those of the files that exist, except for those that were tried before. */
  async contents(into: Contents, paths: readonly string[]): Promise<void> {
    const left = paths.filter((path) => !into.has(path) && !this.#absent.has(path));
    const found = await Promise.all(left.map((path) => this.#try(path, () => this.#fetcher.content(path))));
    for (const [at, path] of left.entries()) {
      const bytes = found[at];
      if (bytes !== undefined) into.set(path, bytes);
    }
  }

  /** Gets the first that exists. */
  async first(paths: readonly string[]): Promise<LargeFile | undefined> {
    for (const path of paths) {
      const bytes = await this.#try(path, () => this.#fetcher.large(path));
      if (bytes !== undefined) return { path, bytes };
    }
    return undefined;
  }

  /** Gets large files; none unless all of them exist. */
  async all(paths: readonly string[]): Promise<LargeFile[]> {
    const found: LargeFile[] = [];
    for (const path of paths) {
      const file = await this.first([path]);
      if (file === undefined) return [];
      found.push(file);
    }
    return found;
  }

  async #try<T>(path: string, get: () => Promise<T>): Promise<T | undefined> {
    if (this.#absent.has(path)) return undefined;
    try {
      return await get();
    } catch (error) {
      if (!isAbsence(error)) throw error;
      this.#absent.add(path);
      if (error.code === "not_a_model" || error.status === 401 || error.status === 403) this.refused ??= error;
      return undefined;
    }
  }
}

// Whether to try the next name: some servers answer 403, or a page, for files
// that do not exist.
function isAbsence(error: unknown): error is EncoderError {
  if (!(error instanceof EncoderError)) return false;
  const statuses = [401, 403, 404, 410];
  return error.code === "not_a_model" || (error.code === "http" && statuses.includes(error.status ?? 0));
}

function missing(what: string, { folder }: Fetcher, paths: readonly string[]): EncoderError {
  const tried = paths.map((path) => folder.nameOf(path)).join(", ");
  return new EncoderError("missing_file", `${what} is missing: expected one of ${tried}, found none`);
}
