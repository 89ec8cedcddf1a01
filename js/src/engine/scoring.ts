// Scores and corpora in the memory of a module.

import { EncoderError, messageOf } from "../errors.js";
import { type ModelCache, openCache } from "../loading/cache.js";
import { nextTask } from "../platform.js";
import type { CorpusInfo, FoundDocuments, WasmCorpus, WasmModule } from "../wasm.js";
import { disposed, guard, quietly } from "./failure.js";

/** @internal A corpus: its number in the engine, and what is in it. */
export interface OpenCorpus extends CorpusInfo {
  corpus: number;
}

/** @internal Documents one after the other, whose rows end at `ends`. */
export interface Rows {
  data: Float32Array;
  ends: Uint32Array;
}

/** @internal Calls, with their arguments, whose typed arrays are transferred, and their results. */
export interface ScoringCalls {
  score: { takes: Rows & { query: Float32Array; dim: number }; gives: { scores: Float32Array } };
  "corpus-create": { takes: { name: string; dim: number; precision: string; space: string }; gives: OpenCorpus };
  "corpus-parse": { takes: { name: string; bytes: Uint8Array | Blob }; gives: OpenCorpus };
  /** `null` where the cache has none of that name. */
  "corpus-open": { takes: { name: string; cache: string | true }; gives: OpenCorpus | null };
  "corpus-push": { takes: Rows & { corpus: number; ids: string[] }; gives: null };
  "corpus-commit": { takes: { corpus: number }; gives: OpenCorpus };
  "corpus-discard": { takes: { corpus: number }; gives: null };
  "corpus-search": {
    takes: Rows & { corpus: number; most: number; positions: Uint32Array | undefined; ids: string[] | undefined };
    gives: FoundDocuments;
  };
  "corpus-bytes": { takes: { corpus: number }; gives: { bytes: Uint8Array } };
  "corpus-save": { takes: { corpus: number; name: string; cache: string | true }; gives: null };
  "corpus-free": { takes: { corpus: number }; gives: null };
}

/** @internal */
export type ScoringCall = keyof ScoringCalls;

/** @internal A call with its arguments. */
export type ScoringRequest = { [C in ScoringCall]: { call: C; args: ScoringCalls[C]["takes"] } }[ScoringCall];

/** @internal The key of a saved corpus in a cache. */
export function corpusKey(name: string): string {
  return `multivec-corpus:${name}`;
}

/** @internal */
export class LocalScoring {
  readonly #runtime: () => Promise<WasmModule>;
  readonly #corpora = new Map<number, WasmCorpus>();
  #next = 0;

  /** `runtime` gives the module, and throws once the engine was disposed. */
  constructor(runtime: () => Promise<WasmModule>) {
    this.#runtime = runtime;
  }

  async run({ call, args }: ScoringRequest, signal?: AbortSignal): Promise<ScoringCalls[ScoringCall]["gives"]> {
    // Lets others in, also between many short calls.
    await nextTask();
    signal?.throwIfAborted();
    const module = await this.#runtime();
    switch (call) {
      case "score": {
        const starts = [0, ...args.ends];
        const documents = Array.from(args.ends, (end, at) =>
          args.data.subarray(starts[at]! * args.dim, end * args.dim),
        );
        return { scores: guard(() => module.maxSim(args.query, documents, args.dim)) };
      }
      case "corpus-create":
        return this.#added(guard(() => new module.WasmCorpus(args.name, args.dim, args.precision, args.space)));
      case "corpus-parse":
        return this.#parsed(args.name, await whole(args.name, args.bytes));
      case "corpus-open": {
        const bytes = await (await cacheOf(args.cache)).read(corpusKey(args.name));
        return bytes === undefined ? null : this.#parsed(args.name, bytes);
      }
      case "corpus-push":
        guard(() => this.#corpus(args.corpus).push(args.ids, args.data, args.ends));
        return null;
      case "corpus-commit":
        guard(() => this.#corpus(args.corpus).commit());
        return this.#info(args.corpus);
      case "corpus-discard":
        guard(() => this.#corpus(args.corpus).discard());
        return null;
      case "corpus-search":
        return this.#search(args, signal);
      case "corpus-bytes":
        return { bytes: guard(() => this.#corpus(args.corpus).bytes()) };
      case "corpus-save": {
        const bytes = guard(() => this.#corpus(args.corpus).bytes());
        await saveIn(await cacheOf(args.cache), args.name, bytes);
        return null;
      }
      case "corpus-free": {
        const corpus = this.#corpora.get(args.corpus);
        this.#corpora.delete(args.corpus);
        quietly(() => corpus?.free());
        return null;
      }
    }
  }

  dispose(): void {
    for (const corpus of this.#corpora.values()) quietly(() => corpus.free());
    this.#corpora.clear();
  }

  async #search(args: ScoringCalls["corpus-search"]["takes"], signal?: AbortSignal): Promise<FoundDocuments> {
    const corpus = this.#corpus(args.corpus);
    const search = guard(() => corpus.start(args.data, args.ends, args.most, args.positions, args.ids));
    try {
      while (guard(() => search.runNext(corpus))) {
        // Lets messages in, such as the one to abort.
        await nextTask();
        signal?.throwIfAborted();
        this.#corpus(args.corpus);
      }
      return guard(() => search.finish(corpus));
    } finally {
      quietly(() => search.free());
    }
  }

  async #parsed(name: string, bytes: Uint8Array): Promise<OpenCorpus> {
    const { WasmCorpus } = await this.#runtime();
    return this.#added(guard(() => WasmCorpus.parse(name, bytes)));
  }

  #added(corpus: WasmCorpus): OpenCorpus {
    const number = this.#next++;
    this.#corpora.set(number, corpus);
    return this.#info(number);
  }

  #info(corpus: number): OpenCorpus {
    return { ...guard(() => this.#corpus(corpus).info()), corpus };
  }

  #corpus(number: number): WasmCorpus {
    const corpus = this.#corpora.get(number);
    if (corpus === undefined) throw disposed("the corpus");
    return corpus;
  }
}

/** @internal */
export async function saveIn(cache: ModelCache, name: string, bytes: Uint8Array): Promise<void> {
  try {
    await cache.write(corpusKey(name), bytes);
  } catch (cause) {
    throw new EncoderError("io", `the corpus ${name}: saving failed: ${messageOf(cause)}`, { cause });
  }
}

async function whole(name: string, bytes: Uint8Array | Blob): Promise<Uint8Array> {
  if (!(bytes instanceof Blob)) return bytes;
  try {
    return new Uint8Array(await bytes.arrayBuffer());
  } catch (cause) {
    throw new EncoderError("io", `${name}: reading failed: ${messageOf(cause)}`, { cause });
  }
}

async function cacheOf(option: string | true) {
  const cache = await openCache(option);
  if (cache === undefined) {
    throw new EncoderError("unsupported", "option `cache`: there is no Cache API here, which pages without HTTPS lack");
  }
  return cache;
}
