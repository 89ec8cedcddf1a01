// The engine in the calling thread, where that is a worker, with helpers.

import type { Control, Engine, EngineFiles } from "../engine/engine.js";
import { LocalEngine, type EngineOptions } from "../engine/local.js";
import type { EncoderError } from "../errors.js";
import type { EncodeOptions, TextKind } from "../options.js";
import type { EncodedTexts, EngineInfo, TokenizedTexts } from "../wasm.js";
import { Helpers } from "./helpers.js";

/** @internal */
export class HelpedEngine implements Engine {
  readonly #engine: LocalEngine;
  readonly #helpers: Helpers;
  // A helper that cannot start would be waited for in vain.
  readonly #failure: Promise<never>;

  constructor(options: EngineOptions) {
    let fail: (error: EncoderError) => void;
    this.#failure = new Promise((_, reject) => (fail = reject));
    this.#failure.catch(() => undefined);
    this.#helpers = new Helpers(options.threads - 1, (error) => fail(error));
    this.#engine = new LocalEngine(options, this.#helpers.ports);
  }

  ready(): Promise<null> {
    return Promise.race([this.#engine.ready(), this.#failure]);
  }

  load(files: EngineFiles, options: EncodeOptions): Promise<EngineInfo> {
    return Promise.race([this.#engine.load(files, options), this.#failure]);
  }

  encode(texts: string[], kind: TextKind, options: EncodeOptions, control: Control): Promise<EncodedTexts> {
    return this.#engine.encode(texts, kind, options, control);
  }

  tokenize(texts: string[], kind: TextKind, options: EncodeOptions): Promise<TokenizedTexts> {
    return this.#engine.tokenize(texts, kind, options);
  }

  tokenTexts(ids: Uint32Array): Promise<string[]> {
    return this.#engine.tokenTexts(ids);
  }

  dispose(): void {
    this.#engine.dispose();
    this.#helpers.end();
  }
}
