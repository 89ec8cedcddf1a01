// The only place that starts workers: bundlers emit a script for each.

import { EncoderError, messageOf } from "../errors.js";

/** @internal A worker that waits for its first message. */
export function spawnWorker(onFailure: (error: EncoderError) => void): Worker {
  let worker: Worker;
  try {
    // Bundlers look for exactly this form.
    worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "multivec" });
  } catch (cause) {
    throw workerError(`it cannot be started: ${messageOf(cause)}`, cause);
  }
  worker.onmessageerror = () => onFailure(workerError("a message could not be read"));
  worker.onerror = (event) => {
    event.preventDefault();
    // If the script cannot be fetched, the event has no message.
    onFailure(
      workerError(
        event.message ||
          "its script could not be loaded (is it served, and does the content security policy allow worker-src 'self'?)",
      ),
    );
  };
  return worker;
}

function workerError(reason: string, cause?: unknown): EncoderError {
  return new EncoderError("worker", `the worker failed: ${reason}`, { cause });
}
