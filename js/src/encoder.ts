/// <reference lib="esnext.disposable" preserve="true" />

import { chooseBuild, type WasmBuild } from "./build.js";
import { Embedding, splitTexts } from "./embedding.js";
import type { Engine } from "./engine/engine.js";
import { LocalEngine } from "./engine/local.js";
import { EncoderError, optionError } from "./errors.js";
import { deleteModel, isModelCached } from "./loading/cached.js";
import { loadFiles } from "./loading/load.js";
import type { CachedModelOptions, FileOptions } from "./loading/options.js";
import type { ModelSource } from "./loading/source.js";
import {
  type CallOptions,
  type EncodeOptions,
  encodeOptions,
  type PoolOptions,
  type StreamOptions,
  type TextKind,
} from "./options.js";
import { parts } from "./stream.js";
import { HelpedEngine } from "./threads/local.js";
import { splitTokens } from "./tokenized.js";
import { Spellings, type TokenizedText } from "./tokens.js";
import type { EngineInfo } from "./wasm.js";
import { WorkerEngine } from "./worker/client.js";

/** Options of {@link Encoder.load}. */
export interface LoadOptions extends EncodeOptions, FileOptions {
  /**
   * Whether to run in a Web Worker, so that a page never freezes. `true` by
   * default where there are Web Workers, which Node lacks.
   */
  worker?: boolean;
  /**
   * Threads to run on, 1 to 64. By default as many as there are cores, up to
   * 4, where the page is cross-origin isolated and the engine runs in a
   * worker; else 1, and `info.threadsLimit` says why.
   */
  threads?: number;
  /** Forces a WebAssembly build; by default the best that the platform can run. */
  wasm?: WasmBuild;
  /** Address of a copy of the package's folder `wasm/`, such as on a CDN; by default the folder beside its code. */
  wasmBase?: string | URL;
}

/**
 * A late-interaction (ColBERT) encoder: turns texts into multi-vector
 * embeddings, on this device.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface adds `Symbol.dispose`, which is defined below.
export class Encoder {
  /** The engine, the model, and the embedding space. */
  readonly info: EngineInfo;
  readonly #engine: Engine;
  readonly #spellings = new Spellings();
  readonly #options: EncodeOptions;

  private constructor(engine: Engine, info: EngineInfo, options: EncodeOptions) {
    this.#engine = engine;
    this.info = info;
    this.#options = options;
  }

  /**
   * Loads a model.
   *
   * @param source the id of a model on a hub, the address of a folder with the
   *   model, or its files; in Node also the path of a folder
   * @throws EncoderError about loading (`http`, `network`, `not_a_model`,
   *   `integrity`, `missing_file`, `io`, `out_of_memory`), a model that cannot
   *   work (`config_syntax`, `config_value`, `invalid_tokenizer`,
   *   `invalid_model`, `invalid_file`, `model_mismatch`, `inference`), options
   *   (`invalid_option`, `invalid_input`) or the platform (`unsupported`,
   *   `worker`)
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<Encoder> {
    const { signal } = options;
    const encode = encodeOptions(options);
    signal?.throwIfAborted();
    const engine = await start(options);
    // Ends the download when the engine fails, and both when the caller aborts.
    const abort = new AbortController();
    const stop = () => {
      abort.abort(signal?.reason);
      engine.dispose();
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      signal?.throwIfAborted();
      const loading = loadFiles(source, { ...options, signal: abort.signal }, (files, precision) =>
        engine.plan({ files, precision }),
      );
      const [{ hub, ...files }] = await Promise.all([loading, engine.ready()]);
      const info = await engine.load({ ...files, precision: options.precision }, encode);
      signal?.throwIfAborted();
      return new Encoder(engine, { ...info, hub }, encode);
    } catch (error) {
      abort.abort(error);
      engine.dispose();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /**
   * Whether the cache has all files of a model, so that it loads without its
   * server.
   *
   * @param source the model's id, or the address of its folder
   * @throws EncoderError `invalid_input`, `invalid_option` or `unsupported`
   */
  static isCached(source: string | URL, options: CachedModelOptions = {}): Promise<boolean> {
    return isModelCached(source, options);
  }

  /**
   * Removes the files of a model from the cache, except for those that other
   * models need too. Without `precision` all of them are removed.
   *
   * @param source the model's id, or the address of its folder
   * @throws EncoderError as {@link Encoder.isCached}
   */
  static delete(source: string | URL, options: CachedModelOptions = {}): Promise<void> {
    return deleteModel(source, options);
  }

  /**
   * Encodes documents: one embedding a text, in input order, without rows for
   * padding and for tokens on the skiplist.
   *
   * @throws EncoderError `text_too_long` where truncation is ruled out,
   *   `non_finite_vector`, `invalid_option`, `inference`, `out_of_memory`,
   *   `disposed`, `panicked` or `worker`
   */
  encodeDocuments(texts: readonly string[], options?: CallOptions): Promise<Embedding[]> {
    return this.#encode(texts, "document", options);
  }

  /**
   * Encodes queries: one embedding a text, in input order.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  encodeQueries(texts: readonly string[], options?: CallOptions): Promise<Embedding[]> {
    return this.#encode(texts, "query", options);
  }

  /**
   * Encodes one query.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  async encodeQuery(text: string, options?: CallOptions): Promise<Embedding> {
    const [embedding] = await this.#encode([text], "query", options);
    return embedding as Embedding;
  }

  /**
   * Encodes one document.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  async encodeDocument(text: string, options?: CallOptions): Promise<Embedding> {
    const [embedding] = await this.#encode([text], "document", options);
    return embedding as Embedding;
  }

  /**
   * Encodes documents as they are read, for corpora larger than memory:
   * embeddings in input order. No more than `readAhead` texts and their
   * embeddings are held, and at most about a million characters of text. A
   * loop that ends early also ends reading.
   *
   * @throws EncoderError as {@link encodeDocuments}, on iteration; positions
   *   of texts count from the first of the stream
   */
  streamDocuments(
    texts: Iterable<string> | AsyncIterable<string>,
    options?: StreamOptions,
  ): AsyncGenerator<Embedding, void, undefined> {
    return this.#stream(texts, "document", options);
  }

  /**
   * Encodes queries as they are read, see {@link streamDocuments}.
   *
   * @throws EncoderError as {@link streamDocuments}
   */
  streamQueries(
    texts: Iterable<string> | AsyncIterable<string>,
    options?: StreamOptions,
  ): AsyncGenerator<Embedding, void, undefined> {
    return this.#stream(texts, "query", options);
  }

  /**
   * Pools the rows of an embedding by hierarchical clustering, also of one
   * from a store. To pool all documents as they are encoded, set the option
   * `poolFactor`.
   *
   * Source: Clavié, Chaffin and Adams 2024, arXiv:2409.14683.
   *
   * @throws EncoderError `invalid_option`, `out_of_memory`, `disposed`,
   *   `panicked` or `worker`
   */
  async pooled(embedding: Embedding, options: PoolOptions): Promise<Embedding> {
    const { data, dim } = embedding;
    return embedding.merged(await this.#engine.pool({ data, dim, options }));
  }

  /**
   * Refuses vectors that were stored under another embedding space. Vectors of
   * different spaces must not be compared.
   *
   * @param stored `info.fingerprint.space` of the encoder that made the vectors
   * @throws EncoderError `fingerprint_mismatch`
   */
  checkSpace(stored: string): void {
    const { space } = this.info.fingerprint;
    if (stored !== space)
      throw new EncoderError("fingerprint_mismatch", `fingerprint: expected space ${space}, found ${stored}`);
  }

  /**
   * The tokens of texts in this model, and which of them are kept as rows.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  async tokenize(texts: readonly string[], kind: TextKind, options?: CallOptions): Promise<TokenizedText[]> {
    options?.signal?.throwIfAborted();
    const tokens = await this.#engine.tokenize({ texts, kind, options: encodeOptions(this.#options, options) });
    return splitTokens(tokens, this.#spellings);
  }

  /**
   * Frees the model and ends the worker. Pending and later calls throw
   * `disposed`. `using encoder = …` calls it at the end of the block.
   */
  dispose(): void {
    this.#engine.dispose();
  }

  async #encode(
    texts: readonly string[],
    kind: TextKind,
    options: CallOptions | undefined,
    before = 0,
  ): Promise<Embedding[]> {
    const { signal, onProgress } = options ?? {};
    const request = { texts, kind, options: encodeOptions(this.#options, options), before };
    return splitTexts(await this.#engine.encode(request, { signal, onProgress }), this.#spellings);
  }

  async *#stream(
    texts: Iterable<string> | AsyncIterable<string>,
    kind: TextKind,
    options: StreamOptions = {},
  ): AsyncGenerator<Embedding, void, undefined> {
    for await (const part of parts(texts, options)) {
      for (const embedding of await this.#encode(part.texts, kind, options, part.before)) {
        options.signal?.throwIfAborted();
        yield embedding;
      }
    }
  }

  static {
    // Not every browser knows the symbol yet.
    if (typeof Symbol.dispose === "symbol") {
      Object.defineProperty(Encoder.prototype, Symbol.dispose, {
        value(this: Encoder) {
          this.dispose();
        },
      });
    }
  }
}

/** `encoder[Symbol.dispose]()` is {@link Encoder.dispose}, where the platform has the symbol. */
export interface Encoder extends Disposable {}

async function start(options: LoadOptions): Promise<Engine> {
  const { worker = typeof Worker === "function", threads, wasm, wasmBase } = options;
  const base = wasmBase !== undefined && { wasmBase: absolute(wasmBase) };
  if (worker && typeof Worker !== "function") {
    throw new EncoderError(
      "unsupported",
      "option `worker`: this platform has no Web Workers; leave the option out to run in place",
    );
  }
  const engine = { ...(await chooseBuild({ wasm, threads, worker })), ...base };
  if (worker) return new WorkerEngine(engine);
  return engine.threads > 1 ? new HelpedEngine(engine) : new LocalEngine(engine);
}

// A worker would resolve a relative address against its own.
function absolute(address: string | URL): string {
  try {
    return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href).href;
  } catch {
    throw optionError("wasmBase", "an address", address);
  }
}
