// The engine in the calling thread; the worker runs it too.

import type { Build } from "../build.js";
import { offer } from "../instances.js";
import type { External, LargeFile } from "../loading/external.js";
import { nextTask } from "../platform.js";
import { loadRuntime, type RuntimeOptions } from "../runtime.js";
import type { Encoded, Plan, PooledRows, TokenizedTexts, WasmEncoder, WasmModule } from "../wasm.js";
import type {
  Control,
  EncodeRequest,
  Engine,
  LoadRequest,
  OwnInfo,
  PlanRequest,
  PoolRequest,
  TextsRequest,
} from "./engine.js";
import { disposed, guard, quietly } from "./failure.js";
import { partedFile, readable } from "./parts.js";
import { LocalScoring, type ScoringCall, type ScoringCalls, type ScoringRequest } from "./scoring.js";

/** @internal */
export interface EngineOptions extends RuntimeOptions, Build {}

/** @internal */
export class LocalEngine implements Engine {
  readonly #options: EngineOptions;
  #runtime: Promise<WasmModule> | undefined;
  #encoder: WasmEncoder | undefined;
  readonly #scoring = new LocalScoring(() => this.#running());
  #withdraw: (() => void) | undefined;
  #disposed = false;

  /** Starts to fetch and compile while the model is still downloading. Each of `ports` leads to a helper thread. */
  constructor(options: EngineOptions, ports: readonly MessagePort[] = []) {
    this.#options = options;
    this.#runtime = loadRuntime(options, ports);
    // `ready` reports a failure, but may never be called.
    this.#runtime.then(
      (instance) => {
        if (!this.#disposed) this.#withdraw = offer(instance);
      },
      () => undefined,
    );
  }

  async ready(): Promise<null> {
    await this.#runtime;
    return null;
  }

  async plan({ files, wanted }: PlanRequest): Promise<Plan> {
    const runtime = await this.#running();
    return guard(() => runtime.WasmEncoder.plan(files, wanted));
  }

  async external(graph: LargeFile): Promise<External> {
    const runtime = await this.#running();
    const file = await readable(graph);
    const parted = await partedFile(file);
    return { files: guard(() => runtime.WasmEncoder.externalFiles(parted)), bytes: file.bytes };
  }

  async load({ files, wanted, options }: LoadRequest): Promise<OwnInfo> {
    const runtime = await this.#runtime;
    const { large, weights: path, ...listing } = files;
    const parts = await Promise.all(large.map(partedFile));
    if (runtime === undefined || this.#disposed) throw disposed();
    return guard(() => {
      this.#encoder = new runtime.WasmEncoder(listing, parts, { path, wanted }, options);
      return { ...this.#encoder.info(), threadsLimit: this.#options.threadsLimit };
    });
  }

  async encode({ texts, kind, options, before }: EncodeRequest, control: Control): Promise<Encoded> {
    control.signal?.throwIfAborted();
    const job = guard(() => this.#loaded().start(texts, kind, options, before));
    try {
      const total = guard(() => job.texts());
      for (let done = 0; ; ) {
        const batch = guard(() => job.runNext());
        if (batch === 0) break;
        done += batch;
        control.onProgress?.({ done, total });
        // Lets messages in, such as the one to abort.
        await nextTask();
        control.signal?.throwIfAborted();
        this.#loaded();
      }
      return guard(() => job.finish());
    } finally {
      quietly(() => job.free());
    }
  }

  async tokenize({ texts, kind, options }: TextsRequest): Promise<TokenizedTexts> {
    return guard(() => this.#loaded().tokenize(texts, kind, options));
  }

  async pool({ data, dim, options }: PoolRequest): Promise<PooledRows> {
    return guard(() => this.#loaded().pool(data, dim, options));
  }

  async spell(ids: Uint32Array): Promise<string[]> {
    return guard(() => this.#loaded().spell(ids));
  }

  async scoring<C extends ScoringCall>(
    call: C,
    args: ScoringCalls[C]["takes"],
    { signal }: Control,
  ): Promise<ScoringCalls[C]["gives"]> {
    return this.#scoring.run({ call, args } as ScoringRequest, signal);
  }

  dispose(): void {
    this.#disposed = true;
    this.#withdraw?.();
    this.#scoring.dispose();
    const encoder = this.#encoder;
    // The memory is freed with the last reference to the instance.
    this.#encoder = undefined;
    this.#runtime = undefined;
    quietly(() => encoder?.free());
  }

  async #running(): Promise<WasmModule> {
    const runtime = await this.#runtime;
    if (runtime === undefined || this.#disposed) throw disposed();
    return runtime;
  }

  #loaded(): WasmEncoder {
    if (this.#encoder === undefined) throw disposed();
    return this.#encoder;
  }
}
