/// <reference lib="esnext.disposable" preserve="true" />

import { chooseBuild, type WasmBuild } from "./build.js";
import { Embedding, splitTexts } from "./embedding.js";
import type { Engine } from "./engine/engine.js";
import { LocalEngine } from "./engine/local.js";
import { EncoderError, optionError } from "./errors.js";
import { loadFiles, type FileOptions } from "./loading/load.js";
import type { ModelSource } from "./loading/source.js";
import { encodeOptions, type CallOptions, type EncodeOptions, type TextKind } from "./options.js";
import { HelpedEngine } from "./threads/local.js";
import { splitTokens } from "./tokenized.js";
import type { TokenizedText } from "./tokens.js";
import type { EngineInfo } from "./wasm.js";
import { WorkerEngine } from "./worker/client.js";

/** Options of {@link Encoder.load}. */
export interface LoadOptions extends EncodeOptions, FileOptions {
  /**
   * Whether to run in a Web Worker, so that a page never freezes. By default
   * wherever workers exist; not in Node.
   */
  worker?: boolean;
  /**
   * Threads to run on, 1 to 64. By default as many as there are cores, up to
   * 4, where the page is cross-origin isolated and the engine not in the
   * page's own thread; else 1, and `info.threadsLimit` says why.
   */
  threads?: number;
  /** Forces a WebAssembly build; by default the best that the platform can run. */
  wasm?: WasmBuild;
  /** Folder with what the package has in `wasm/`, such as on a CDN; by default that lies beside its code. */
  wasmBase?: string | URL;
}

/**
 * A late-interaction (ColBERT) encoder: texts to multi-vector embeddings, on
 * this device.
 */
export class Encoder {
  /** What runs, and in which embedding space. */
  readonly info: EngineInfo;
  readonly #engine: Engine;
  readonly #options: EncodeOptions;

  private constructor(engine: Engine, info: EngineInfo, options: EncodeOptions) {
    this.#engine = engine;
    this.info = info;
    this.#options = options;
  }

  /**
   * Loads a model.
   *
   * @param source address of a folder with the model, or its three files;
   *   in Node a path will do
   * @throws EncoderError of loading (`http`, `network`, `not_a_model`,
   *   `integrity`, `missing_file`, `io`, `out_of_memory`), of a model that
   *   cannot work (`config_syntax`, `config_value`, `invalid_tokenizer`,
   *   `invalid_model`, `model_mismatch`, `inference`), of options
   *   (`invalid_option`, `invalid_input`) or of the platform (`unsupported`,
   *   `worker`)
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<Encoder> {
    const { signal } = options;
    const encode = encodeOptions(options);
    signal?.throwIfAborted();
    const engine = await start(options);
    // Ends the download where the engine fails, and all where the user gives up.
    const abort = new AbortController();
    const stop = () => {
      abort.abort(signal?.reason);
      engine.dispose();
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      signal?.throwIfAborted();
      const [files] = await Promise.all([loadFiles(source, { ...options, signal: abort.signal }), engine.ready()]);
      const info = await engine.load({ ...files.bytes, names: files.names, precision: files.precision }, encode);
      signal?.throwIfAborted();
      return new Encoder(engine, info, encode);
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
   * Encodes documents: one embedding a text, in input order, without the rows
   * of padding and of skiplist words.
   *
   * @throws EncoderError `text_too_long` where truncation is ruled out,
   *   `invalid_option`, `inference`, `out_of_memory`, `disposed`, `panicked`
   *   or `worker`
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
   * The tokens that texts have in this model: what is encoded, kept, cut off.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  async tokenize(texts: readonly string[], kind: TextKind, options?: CallOptions): Promise<TokenizedText[]> {
    options?.signal?.throwIfAborted();
    const tokens = await this.#engine.tokenize(texts as string[], kind, encodeOptions(this.#options, options));
    return splitTokens(tokens, await this.#engine.tokenTexts(tokens.ids.slice()));
  }

  /**
   * The tokens behind each row of an embedding, as the vocabulary spells
   * them: one a row, or several where it was pooled.
   *
   * @throws EncoderError `disposed`, `panicked` or `worker`
   */
  async tokenTexts(embedding: Embedding): Promise<string[][]> {
    const rows = Array.from({ length: embedding.tokens }, (_, row) => embedding.rowTokens(row).map(({ id }) => id));
    const texts = await this.#engine.tokenTexts(Uint32Array.from(rows.flat()));
    let at = 0;
    return rows.map((ids) => texts.slice(at, (at += ids.length)));
  }

  /**
   * Frees the model and ends the worker. Calls under way, and later ones,
   * throw `disposed`. `using encoder = …` does it at the end of the block.
   */
  dispose(): void {
    this.#engine.dispose();
  }

  async #encode(texts: readonly string[], kind: TextKind, options: CallOptions | undefined): Promise<Embedding[]> {
    const { signal, onProgress } = options ?? {};
    const settings = encodeOptions(this.#options, options);
    return splitTexts(await this.#engine.encode(texts as string[], kind, settings, { signal, onProgress }));
  }

  static {
    // Not every browser knows the symbol yet.
    if (typeof Symbol.dispose === "symbol") {
      Object.defineProperty(this.prototype, Symbol.dispose, {
        value(this: Encoder) {
          this.dispose();
        },
      });
    }
  }
}

/** Where the platform has `Symbol.dispose`: the same as {@link Encoder.dispose}. */
export interface Encoder extends Disposable {}

async function start(options: LoadOptions): Promise<Engine> {
  const { worker = typeof Worker === "function", threads, wasm, wasmBase } = options;
  const base = wasmBase !== undefined && { wasmBase: absolute(wasmBase) };
  if (worker && typeof Worker !== "function") {
    throw new EncoderError("unsupported", "option `worker`: this platform has no Web Workers; leave the option out to run in place");
  }
  const engine = { ...(await chooseBuild({ wasm, threads, worker })), ...base };
  if (worker) return new WorkerEngine(engine);
  return engine.threads > 1 ? new HelpedEngine(engine) : new LocalEngine(engine);
}

// A worker resolves relative addresses against its own.
function absolute(address: string | URL): string {
  try {
    return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href).href;
  } catch {
    throw optionError("wasmBase", "an address", address);
  }
}
