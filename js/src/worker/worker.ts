// The worker's script, started by `spawn.ts`.

import { toEncoderError } from "../engine/failure.js";
import { LocalEngine } from "../engine/local.js";
import { toData } from "../errors.js";
import { lend } from "../threads/engine.js";
import { type Answer, buffersOf, type Call, type CallRequest, type Calls, type Request } from "./protocol.js";

/** The parts of a worker's global scope that are used here. */
interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Answer, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as Scope;
const running = new Map<number, AbortController>();
let engine: LocalEngine | undefined;

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case "start":
      engine = new LocalEngine(data.options, data.ports);
      break;
    case "lend":
      lend(data.port);
      break;
    case "call":
      void answer(data);
      break;
    case "abort":
      running.get(data.id)?.abort();
      break;
  }
};

async function answer(request: CallRequest): Promise<void> {
  const { id } = request;
  const abort = new AbortController();
  running.set(id, abort);
  try {
    const value = await run(request, abort.signal);
    scope.postMessage({ type: "done", id, value }, buffersOf(value));
  } catch (error) {
    if (abort.signal.aborted) scope.postMessage({ type: "aborted", id }, []);
    else scope.postMessage({ type: "failed", id, error: toData(toEncoderError(error)) }, []);
  } finally {
    running.delete(id);
  }
}

async function run(request: CallRequest, signal: AbortSignal): Promise<Calls[Call]["gives"]> {
  if (engine === undefined) throw new Error("expected the message `start` before any call");
  switch (request.call) {
    case "ready":
      return engine.ready();
    case "plan":
      return engine.plan(request.args);
    case "external":
      return engine.external(request.args);
    case "load":
      return engine.load(request.args);
    case "encode": {
      const onProgress = ({ done, total }: { done: number; total: number }) =>
        scope.postMessage({ type: "progress", id: request.id, done, total }, []);
      return engine.encode(request.args, { signal, onProgress });
    }
    case "tokenize":
      return engine.tokenize(request.args);
    case "pool":
      return engine.pool(request.args);
    case "spell":
      return engine.spell(request.args);
    default:
      return engine.scoring(request.call, request.args, { signal });
  }
}
