// The page's side of an engine in a worker.

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
import { disposed } from "../engine/failure.js";
import type { EngineOptions } from "../engine/local.js";
import type { ScoringCall, ScoringCalls } from "../engine/scoring.js";
import { EncoderError, fromData, messageOf } from "../errors.js";
import type { External, LargeFile } from "../loading/external.js";
import type { EncodeProgress } from "../options.js";
import { Helpers } from "../threads/helpers.js";
import type { Encoded, Plan, PooledRows, TokenizedTexts } from "../wasm.js";
import { type Answer, buffersOf, type Call, type CallRequest, type Calls, type Request } from "./protocol.js";
import { spawnWorker } from "./spawn.js";

interface Pending {
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
  onProgress: ((progress: EncodeProgress) => void) | undefined;
}

/** @internal */
export class WorkerEngine implements Engine {
  readonly #worker: Worker;
  readonly #helpers: Helpers;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  // Why every further call fails.
  #ended: EncoderError | undefined;

  constructor(options: EngineOptions) {
    const end = (error: EncoderError) => this.#end(error);
    this.#worker = spawnWorker(options.workerUrl, end);
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#receive(data);
    this.#helpers = new Helpers(options, end);
    const { ports } = this.#helpers;
    this.#send({ type: "start", options, ports }, ports);
  }

  ready(): Promise<null> {
    return this.#call("ready", null);
  }

  plan(request: PlanRequest): Promise<Plan> {
    return this.#call("plan", request);
  }

  external(graph: LargeFile): Promise<External> {
    return this.#call("external", graph, {}, buffersOf(graph));
  }

  load(request: LoadRequest): Promise<OwnInfo> {
    const { contents, large } = request.files;
    const all = [...Object.values(contents), ...large.map(({ bytes }) => bytes)];
    const buffers = all.flatMap((bytes) => (bytes instanceof Blob ? [] : [bytes.buffer as ArrayBuffer]));
    return this.#call("load", request, {}, [...new Set(buffers)]);
  }

  encode(request: EncodeRequest, control: Control): Promise<Encoded> {
    return this.#call("encode", request, control);
  }

  tokenize(request: TextsRequest): Promise<TokenizedTexts> {
    return this.#call("tokenize", request);
  }

  pool(request: PoolRequest): Promise<PooledRows> {
    // A copy, because the caller's buffer may be larger than the view, and stays the caller's.
    const data = request.data.slice();
    return this.#call("pool", { ...request, data }, {}, [data.buffer]);
  }

  spell(ids: Uint32Array): Promise<string[]> {
    return this.#call("spell", ids);
  }

  scoring<C extends ScoringCall>(
    call: C,
    args: ScoringCalls[C]["takes"],
    control: Control,
  ): Promise<ScoringCalls[C]["gives"]> {
    return this.#call(call, args, control, buffersOf(args));
  }

  dispose(): void {
    this.#end(disposed());
  }

  async #call<C extends Call>(
    call: C,
    args: Calls[C]["takes"],
    control: Control = {},
    transfer: Transferable[] = [],
  ): Promise<Calls[C]["gives"]> {
    const { signal, onProgress } = control;
    signal?.throwIfAborted();
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#nextId++;
    const stop = () => {
      // The caller need not wait for the running batch.
      this.#settle(id)?.reject(signal?.reason);
      this.#send({ type: "abort", id });
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      return await new Promise<Calls[C]["gives"]>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onProgress });
        this.#send({ type: "call", id, call, args } as CallRequest, transfer);
      });
    } catch (error) {
      this.#pending.delete(id);
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  #send(message: Request, transfer: Transferable[] = []): void {
    try {
      this.#worker.postMessage(message, transfer);
    } catch (cause) {
      throw new EncoderError("invalid_input", `the arguments cannot be sent to the worker: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  #receive(answer: Answer): void {
    if (answer.type === "progress") {
      this.#pending.get(answer.id)?.onProgress?.({ done: answer.done, total: answer.total });
      return;
    }
    // `undefined` for a call that was aborted.
    const pending = this.#settle(answer.id);
    if (answer.type === "done") pending?.resolve(answer.value as never);
    else if (answer.type === "failed") pending?.reject(fromData(answer.error));
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #end(error: EncoderError): void {
    this.#ended ??= error;
    this.#worker.terminate();
    this.#helpers.end();
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}
