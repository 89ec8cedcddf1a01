/// <reference lib="esnext.disposable" preserve="true" />

import type { Control, Engine } from "../engine/engine.js";
import { EncoderError } from "../errors.js";
import { deleteModel, isModelCached } from "../loading/cached.js";
import type { CachedModelOptions } from "../loading/options.js";
import { type CallOptions, type EncodeOptions, encodeOptions, type TextKind } from "../options.js";
import type { Encoded, EngineInfo } from "../wasm.js";
import type { Loaded } from "./start.js";

/** @internal Texts of a call, or pairs of them one after the other. */
export interface Texts {
  texts: readonly string[];
  kind: TextKind | "pair";
  /** Texts of the stream before these. */
  before?: number;
}

/** What encoders of all kinds have. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface adds `Symbol.dispose`, which is defined below.
export abstract class BaseEncoder {
  /** The engine, the model, and the embedding space. */
  readonly info: EngineInfo;
  /** @internal */
  protected readonly engine: Engine;
  /** @internal */
  protected readonly options: EncodeOptions;

  /** @internal */
  protected constructor({ engine, info, options }: Loaded) {
    this.engine = engine;
    this.info = info;
    this.options = options;
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
   * @throws EncoderError as {@link BaseEncoder.isCached}
   */
  static delete(source: string | URL, options: CachedModelOptions = {}): Promise<void> {
    return deleteModel(source, options);
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
   * Frees the model and ends the worker. Pending and later calls throw
   * `disposed`. `using encoder = …` calls it at the end of the block.
   */
  dispose(): void {
    this.engine.dispose();
  }

  /** @internal The engine of an encoder, which also has corpora. */
  static engineOf(encoder: BaseEncoder): Engine {
    return encoder.engine;
  }

  /** @internal Runs a call; `undefined` if there is no text. */
  protected async run<E extends Encoded>(
    { texts, kind, before = 0 }: Texts,
    options: (CallOptions & Control) | undefined,
  ): Promise<E | undefined> {
    const { signal, onProgress } = options ?? {};
    const request = { texts, kind, options: encodeOptions(this.options, options), before };
    const found = await this.engine.encode(request, { signal, onProgress });
    return found.keptTokens.length === 0 ? undefined : (found as E);
  }

  static {
    // Not every browser knows the symbol yet.
    if (typeof Symbol.dispose === "symbol") {
      Object.defineProperty(BaseEncoder.prototype, Symbol.dispose, {
        value(this: BaseEncoder) {
          this.dispose();
        },
      });
    }
  }
}

/** `encoder[Symbol.dispose]()` is {@link BaseEncoder.dispose}, where the platform has the symbol. */
export interface BaseEncoder extends Disposable {}
