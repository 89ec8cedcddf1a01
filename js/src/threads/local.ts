// The engine in the calling thread, which is a worker of the application's, with helper threads.

import type {
  Control,
  EncodeRequest,
  Engine,
  LoadRequest,
  OwnInfo,
  PlanRequest,
  PoolRequest,
  TextsRequest,
} from "../engine/engine.js";
import { type EngineOptions, LocalEngine } from "../engine/local.js";
import type { ScoringCall, ScoringCalls } from "../engine/scoring.js";
import type { EncoderError } from "../errors.js";
import type { External, LargeFile } from "../loading/external.js";
import type { Encoded, Plan, PooledRows, TokenizedTexts } from "../wasm.js";
import { Helpers } from "./helpers.js";

/** @internal */
export class HelpedEngine implements Engine {
  readonly #engine: LocalEngine;
  readonly #helpers: Helpers;
  // Rejects where a helper cannot start: the engine would wait for it forever.
  readonly #failure: Promise<never>;

  constructor(options: EngineOptions) {
    let fail: (error: EncoderError) => void;
    this.#failure = new Promise((_, reject) => (fail = reject));
    this.#failure.catch(() => undefined);
    this.#helpers = new Helpers(options, (error) => fail(error));
    this.#engine = new LocalEngine(options, this.#helpers.ports);
  }

  ready(): Promise<null> {
    return Promise.race([this.#engine.ready(), this.#failure]);
  }

  plan(request: PlanRequest): Promise<Plan> {
    return Promise.race([this.#engine.plan(request), this.#failure]);
  }

  external(graph: LargeFile): Promise<External> {
    return Promise.race([this.#engine.external(graph), this.#failure]);
  }

  load(request: LoadRequest): Promise<OwnInfo> {
    return Promise.race([this.#engine.load(request), this.#failure]);
  }

  encode(request: EncodeRequest, control: Control): Promise<Encoded> {
    return this.#engine.encode(request, control);
  }

  tokenize(request: TextsRequest): Promise<TokenizedTexts> {
    return this.#engine.tokenize(request);
  }

  pool(request: PoolRequest): Promise<PooledRows> {
    return this.#engine.pool(request);
  }

  spell(ids: Uint32Array): Promise<string[]> {
    return this.#engine.spell(ids);
  }

  scoring<C extends ScoringCall>(
    call: C,
    args: ScoringCalls[C]["takes"],
    control: Control,
  ): Promise<ScoringCalls[C]["gives"]> {
    return Promise.race([this.#engine.scoring(call, args, control), this.#failure]);
  }

  dispose(): void {
    this.#engine.dispose();
    this.#helpers.end();
  }
}
