// Workers whose threads are lent to an engine.

import type { EngineOptions } from "../engine/local.js";
import type { EncoderError } from "../errors.js";
import type { Request } from "../worker/protocol.js";
import { spawnWorker } from "../worker/spawn.js";

/** @internal */
export class Helpers {
  /** The ports for the engine, one a helper. */
  readonly ports: MessagePort[] = [];
  readonly #workers: Worker[] = [];

  /** Starts workers for all threads but the first; `onFailure` is called for each that cannot run. */
  constructor({ threads, workerUrl }: EngineOptions, onFailure: (error: EncoderError) => void) {
    for (let at = 1; at < threads; at += 1) {
      const worker = spawnWorker(workerUrl, onFailure);
      this.#workers.push(worker);
      const { port1, port2 } = new MessageChannel();
      this.ports.push(port1);
      worker.postMessage({ type: "lend", port: port2 } satisfies Request, [port2]);
    }
  }

  end(): void {
    for (const worker of this.#workers) worker.terminate();
  }
}
