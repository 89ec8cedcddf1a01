// The engine in this thread; the worker runs the same one.

import type { Build } from "../build.js";
import { EncoderError } from "../errors.js";
import type { EncodeOptions, TextKind } from "../options.js";
import { nextTask } from "../platform.js";
import { loadRuntime, type RuntimeOptions } from "../runtime.js";
import type { EncodedTexts, EngineInfo, TokenizedTexts, WasmEncoder, WasmModule } from "../wasm.js";
import type { Control, Engine, EngineFiles } from "./engine.js";
import { toEncoderError } from "./failure.js";

/** @internal */
export interface EngineOptions extends RuntimeOptions, Build {}

/** @internal */
export class LocalEngine implements Engine {
  readonly #options: EngineOptions;
  #runtime: Promise<WasmModule> | undefined;
  #encoder: WasmEncoder | undefined;
  #disposed = false;

  /** Starts to fetch and compile, while the model is still on its way. Helpers wait behind `ports`. */
  constructor(options: EngineOptions, ports: readonly MessagePort[] = []) {
    this.#options = options;
    this.#runtime = loadRuntime(options, ports);
    // Reported by `ready`, which may never be called.
    this.#runtime.catch(() => undefined);
  }

  async ready(): Promise<null> {
    await this.#runtime;
    return null;
  }

  async load(files: EngineFiles, options: EncodeOptions): Promise<EngineInfo> {
    const runtime = await this.#runtime;
    if (runtime === undefined || this.#disposed) throw disposed();
    return guard(() => {
      const { model, tokenizer, config, names, precision } = files;
      this.#encoder = new runtime.WasmEncoder(model, tokenizer, config, names, precision, options);
      return { ...this.#encoder.info(), threadsLimit: this.#options.threadsLimit };
    });
  }

  async encode(texts: string[], kind: TextKind, options: EncodeOptions, control: Control): Promise<EncodedTexts> {
    control.signal?.throwIfAborted();
    const job = guard(() => this.#loaded().start(texts, kind, options));
    try {
      const total = guard(() => job.texts());
      for (let done = 0; ; ) {
        const batch = guard(() => job.runNext());
        if (batch === 0) break;
        done += batch;
        control.onProgress?.({ done, total });
        // Messages, such as that to stop, come in between batches.
        await nextTask();
        control.signal?.throwIfAborted();
        this.#loaded();
      }
      return guard(() => job.finish());
    } finally {
      quietly(() => job.free());
    }
  }

  async tokenize(texts: string[], kind: TextKind, options: EncodeOptions): Promise<TokenizedTexts> {
    return guard(() => this.#loaded().tokenize(texts, kind, options));
  }

  async tokenTexts(ids: Uint32Array): Promise<string[]> {
    return guard(() => this.#loaded().tokenTexts(ids));
  }

  dispose(): void {
    this.#disposed = true;
    const encoder = this.#encoder;
    // With the last reference to the instance goes its memory.
    this.#encoder = undefined;
    this.#runtime = undefined;
    quietly(() => encoder?.free());
  }

  #loaded(): WasmEncoder {
    if (this.#encoder === undefined) throw disposed();
    return this.#encoder;
  }
}

/** @internal */
export function disposed(): EncoderError {
  return new EncoderError("disposed", "the encoder was disposed of");
}

// Freeing fails after a panic, when there is nothing left to save.
function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // See above.
  }
}

/** Runs a call of WebAssembly and makes an `EncoderError` of what it throws. */
function guard<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw toEncoderError(error);
  }
}
