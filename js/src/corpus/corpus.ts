/// <reference lib="esnext.disposable" preserve="true" />

import { batches, joined } from "../batches.js";
import type { Matrix } from "../embeddings/multi-vector.js";
import { BaseEncoder } from "../encoders/base.js";
import type { Engine } from "../engine/engine.js";
import { disposed } from "../engine/failure.js";
import type { OpenCorpus, ScoringCall, ScoringCalls } from "../engine/scoring.js";
import { EncoderError, optionError, show } from "../errors.js";
import { openEngine } from "../open.js";
import type { VectorPrecision } from "../wasm.js";
import type {
  AppendOptions,
  CorpusOptions,
  CorpusPlace,
  FoundDocument,
  OpenOptions,
  SavedOptions,
  SearchOptions,
} from "./options.js";
import { readSaved, removeSaved, writeSaved } from "./saved.js";

/**
 * Vectors of many documents in one piece of memory, in a worker where there are
 * any, searched exactly: there is no index. The bytes are those of the native
 * library's files.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface adds `Symbol.dispose`, which is defined below.
export class Corpus {
  readonly #engine: Engine;
  readonly #isShared: boolean;
  #open: OpenCorpus;
  #isDisposed = false;
  // Documents are added in the order of the calls.
  #added: Promise<unknown> = Promise.resolve();

  private constructor(engine: Engine, open: OpenCorpus, isShared: boolean) {
    this.#engine = engine;
    this.#open = open;
    this.#isShared = isShared;
  }

  /**
   * Makes a corpus of embeddings, which are copied.
   *
   * @throws EncoderError `invalid_option`, also for numbers that the precision
   *   cannot store; `dimension_mismatch` and `non_finite_vector`, naming the
   *   document; `fingerprint_mismatch`; `out_of_memory`, `unsupported`,
   *   `network`, `disposed`, `panicked` or `worker`
   */
  static async from(embeddings: readonly Matrix[], options: CorpusOptions = {}): Promise<Corpus> {
    const { encoder, precision = "f32" } = options;
    const dim = options.dim ?? encoder?.info.dim ?? (embeddings.find(({ tokens }) => tokens > 0) ?? embeddings[0])?.dim;
    if (dim === undefined || !Number.isInteger(dim)) {
      throw optionError("dim", "the number of columns, as there are no documents", dim);
    }
    const space = options.fingerprint ?? encoder?.info.fingerprint.space ?? "";
    const create = { name: "the corpus", dim, precision, space };
    const corpus = await Corpus.#start(options, (engine) => engine.scoring("corpus-create", create, {}));
    try {
      await corpus.append(embeddings, options);
      return corpus;
    } catch (error) {
      corpus.dispose();
      throw error;
    }
  }

  /**
   * Reads the bytes of a corpus, such as of a file that the native library
   * wrote. A `Blob` is read in the worker, where a page need not hold it.
   *
   * @throws EncoderError `invalid_file`, and as {@link Corpus.from}
   */
  static fromBytes(bytes: Uint8Array | Blob, options: CorpusPlace = {}): Promise<Corpus> {
    // A copy, because the caller's buffer may be larger than the view, and stays the caller's.
    const own = bytes instanceof Blob ? bytes : bytes.slice();
    return Corpus.#start(options, (engine) => engine.scoring("corpus-parse", { name: "the corpus", bytes: own }, {}));
  }

  /**
   * Opens a corpus that was saved, also offline.
   *
   * @throws EncoderError `missing_file` if there is none of that name, and as
   *   {@link Corpus.fromBytes}
   */
  static open(name: string, options: OpenOptions = {}): Promise<Corpus> {
    return Corpus.#start(options, async (engine) => {
      const found = await readSaved(engine, name, options);
      if (found === null) throw new EncoderError("missing_file", `the corpus ${show(name)}: it was not saved here`);
      return found;
    });
  }

  /**
   * Removes a corpus that was saved.
   *
   * @throws EncoderError `invalid_option` or `unsupported`
   */
  static delete(name: string, options: SavedOptions = {}): Promise<void> {
    return removeSaved(name, options);
  }

  static async #start(options: CorpusPlace, open: (engine: Engine) => Promise<OpenCorpus>): Promise<Corpus> {
    const { encoder, threads = 1 } = options;
    const engine = encoder === undefined ? await openEngine({ ...options, threads }) : BaseEncoder.engineOf(encoder);
    let corpus: Corpus | undefined;
    try {
      corpus = new Corpus(engine, await open(engine), encoder !== undefined);
      encoder?.checkSpace(corpus.fingerprint);
      return corpus;
    } catch (error) {
      corpus?.dispose();
      if (encoder === undefined) engine.dispose();
      throw error;
    }
  }

  /** Number of documents. */
  get length(): number {
    return this.#open.documents;
  }

  /** Number of rows of all documents. */
  get rows(): number {
    return this.#open.rows;
  }

  /** Its size in bytes. */
  get byteLength(): number {
    return this.#open.bytes;
  }

  /** Columns of a row. */
  get dim(): number {
    return this.#open.dim;
  }

  /** How vectors are stored. */
  get precision(): VectorPrecision {
    return this.#open.precision;
  }

  /** The embedding space; empty if it is unknown. */
  get fingerprint(): string {
    return this.#open.fingerprint;
  }

  /**
   * Adds documents, which searches find once the call has ended. After an
   * error none are added.
   *
   * @throws EncoderError as {@link Corpus.from}
   */
  append(embeddings: readonly Matrix[], options: AppendOptions = {}): Promise<void> {
    const added = this.#added.catch(() => undefined).then(() => this.#append(embeddings, options));
    this.#added = added;
    return added;
  }

  async #append(embeddings: readonly Matrix[], { ids, signal }: AppendOptions): Promise<void> {
    const { corpus, documents, dim } = this.#open;
    if (ids !== undefined && ids.length !== embeddings.length) {
      throw optionError("ids", `${embeddings.length}, one for each document`, ids.length);
    }
    const wrong = ids?.find((id) => typeof id !== "string");
    if (wrong !== undefined) throw optionError("ids", "strings", wrong);
    for (const [at, { tokens, dim: found }] of embeddings.entries()) {
      if (found !== dim && tokens > 0) {
        throw new EncoderError("dimension_mismatch", `document ${at}: expected dimension ${dim}, found ${found}`);
      }
    }
    if (embeddings.length === 0) return;
    try {
      for (const { first, end, data, ends } of batches(embeddings)) {
        const names = ids?.slice(first, end) ?? Array.from(ends, (_, at) => String(documents + first + at));
        await this.#call("corpus-push", { corpus, ids: names, data, ends }, signal);
      }
      this.#open = await this.#call("corpus-commit", { corpus });
    } catch (error) {
      await this.#engine.scoring("corpus-discard", { corpus }, {}).catch(() => undefined);
      throw error;
    }
  }

  /**
   * The best `most` documents for a query; equal scores keep the documents'
   * order.
   *
   * @throws EncoderError as {@link Corpus.searchMany}
   */
  async search(query: Matrix, most: number, options: SearchOptions = {}): Promise<FoundDocument[]> {
    const [found] = await this.searchMany([query], most, options);
    return found ?? [];
  }

  /**
   * The best `most` documents for each query. All queries are compared with a
   * document while it is in the processor's caches.
   *
   * @throws EncoderError `dimension_mismatch`; `fingerprint_mismatch`;
   *   `invalid_option` for queries that are not finite, and for positions
   *   without a document; `invalid_file` for damaged vectors; `out_of_memory`,
   *   `disposed`, `panicked` or `worker`
   */
  async searchMany(queries: readonly Matrix[], most: number, options: SearchOptions = {}): Promise<FoundDocument[][]> {
    const { among, fingerprint, signal } = options;
    const { corpus, dim } = this.#open;
    if (fingerprint !== undefined && fingerprint !== this.fingerprint) {
      const message = `fingerprint: expected space ${fingerprint}, found ${this.fingerprint}`;
      throw new EncoderError("fingerprint_mismatch", message);
    }
    if (!Number.isInteger(most) || most < 0) throw optionError("most", "a whole number", most);
    for (const [at, query] of queries.entries()) {
      if (query.tokens > 0 && query.dim !== dim) {
        throw new EncoderError("dimension_mismatch", `query ${at}: expected dimension ${dim}, found ${query.dim}`);
      }
    }
    const request = { corpus, ...joined(queries), most: Math.min(most, this.length), ...chosenBy(among) };
    const found = await this.#call("corpus-search", request, signal);
    return Array.from(found.ends, (end, query) => {
      const start = found.ends[query - 1] ?? 0;
      return Array.from({ length: end - start }, (_, at) => ({
        index: found.indices[start + at]!,
        score: found.scores[start + at]!,
        id: found.ids[start + at]!,
      }));
    });
  }

  /**
   * The best `most` of some documents alone, by positions or ids, such as the
   * hits of another search; all by default.
   *
   * @throws EncoderError as {@link Corpus.searchMany}
   */
  rerank(
    query: Matrix,
    candidates: readonly number[] | readonly string[],
    most = this.length,
    options: Omit<SearchOptions, "among"> = {},
  ): Promise<FoundDocument[]> {
    return this.search(query, most, { ...options, among: candidates });
  }

  /**
   * Keeps a copy in the browser's storage, or in Node in a folder, for
   * {@link Corpus.open}. It replaces an earlier one of that name.
   *
   * @throws EncoderError `invalid_option`, `unsupported`, or `io` where the
   *   storage is full; `out_of_memory`, `disposed`, `panicked` or `worker`
   */
  async save(name: string, options: SavedOptions = {}): Promise<void> {
    this.#check();
    await writeSaved(this.#engine, this.#open.corpus, name, options);
  }

  /**
   * A copy of its bytes, as {@link Corpus.fromBytes} and the native library
   * read them.
   *
   * @throws EncoderError `out_of_memory`, `disposed`, `panicked` or `worker`
   */
  async toBytes(): Promise<Uint8Array> {
    return (await this.#call("corpus-bytes", { corpus: this.#open.corpus })).bytes;
  }

  /** Frees the memory. Pending and later calls throw `disposed`. `using corpus = …` calls it at the end of the block. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#isShared) this.#engine.scoring("corpus-free", { corpus: this.#open.corpus }, {}).catch(() => undefined);
    else this.#engine.dispose();
  }

  async #call<C extends ScoringCall>(
    call: C,
    args: ScoringCalls[C]["takes"],
    signal?: AbortSignal,
  ): Promise<ScoringCalls[C]["gives"]> {
    this.#check();
    try {
      return await this.#engine.scoring(call, args, { signal });
    } catch (error) {
      this.#check();
      throw error;
    }
  }

  #check(): void {
    if (this.#isDisposed) throw disposed("the corpus");
  }

  static {
    // Not every browser knows the symbol yet.
    if (typeof Symbol.dispose === "symbol") {
      Object.defineProperty(Corpus.prototype, Symbol.dispose, {
        value(this: Corpus) {
          this.dispose();
        },
      });
    }
  }
}

/** `corpus[Symbol.dispose]()` is {@link Corpus.dispose}, where the platform has the symbol. */
export interface Corpus extends Disposable {}

function chosenBy(among: SearchOptions["among"]): Pick<ScoringCalls["corpus-search"]["takes"], "positions" | "ids"> {
  if (among === undefined) return { positions: undefined, ids: undefined };
  if (among.length > 0 && among.every((one) => typeof one === "string"))
    return { positions: undefined, ids: [...among] };
  const wrong = (among as readonly unknown[]).find(
    (one) => !Number.isInteger(one) || (one as number) < 0 || (one as number) >= 2 ** 32,
  );
  if (wrong !== undefined) throw optionError("among", "positions, or ids", wrong);
  return { positions: Uint32Array.from(among as readonly number[]), ids: undefined };
}
