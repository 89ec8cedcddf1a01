// The only place that starts workers: bundlers emit a script for each.

import { EncoderError, messageOf } from "../errors.js";

/** @internal A worker that waits for its first message; `url` is its script, where that is not beside the code. */
export function spawnWorker(url: string | undefined, onFailure: (error: EncoderError) => void): Worker {
  let worker: Worker;
  try {
    // Bundlers look for exactly this form.
    if (url === undefined)
      worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "multivec" });
    else worker = new Worker(url, { type: "module", name: "multivec" });
  } catch (cause) {
    throw workerError(`it cannot be started${hint()}: ${messageOf(cause)}`, cause);
  }
  worker.onmessageerror = () => onFailure(workerError("a message could not be read"));
  worker.onerror = (event) => {
    event.preventDefault();
    // If the script cannot be fetched, the event has no message.
    onFailure(workerError(event.message || `its script could not be loaded${hint()}`));
  };
  return worker;
}

// Browsers do not say which of the reasons it was.
function hint(): string {
  const served = "is it served, from this origin, and does the content security policy allow `worker-src 'self'`?";
  if (globalThis.crossOriginIsolated !== true) return ` (${served})`;
  return ` (does it have the header \`Cross-Origin-Embedder-Policy\`, which workers of a cross-origin isolated page need as the page does? ${served})`;
}

function workerError(reason: string, cause?: unknown): EncoderError {
  return new EncoderError("worker", `the worker failed: ${reason}`, { cause });
}
