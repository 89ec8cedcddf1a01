// The messages between page and worker. An answer has the id of its request.

import type { EncodeRequest, LoadRequest, OwnInfo, PlanRequest, PoolRequest, TextsRequest } from "../engine/engine.js";
import type { EngineOptions } from "../engine/local.js";
import type { ScoringCalls } from "../engine/scoring.js";
import type { ErrorData } from "../errors.js";
import type { External, LargeFile } from "../loading/external.js";
import type { Encoded, Plan, PooledRows, TokenizedTexts } from "../wasm.js";

/** @internal The calls, with their arguments and results. */
export interface Calls extends ScoringCalls {
  ready: { takes: null; gives: null };
  plan: { takes: PlanRequest; gives: Plan };
  external: { takes: LargeFile; gives: External };
  load: { takes: LoadRequest; gives: OwnInfo };
  encode: { takes: EncodeRequest; gives: Encoded };
  tokenize: { takes: TextsRequest; gives: TokenizedTexts };
  pool: { takes: PoolRequest; gives: PooledRows };
  spell: { takes: Uint32Array; gives: string[] };
}

/** @internal */
export type Call = keyof Calls;

/** @internal A call with its arguments. */
export type CallRequest = { [C in Call]: { type: "call"; id: number; call: C; args: Calls[C]["takes"] } }[Call];

/** @internal */
export type Request =
  /** Makes the worker an engine; each of `ports` leads to a helper. */
  | { type: "start"; options: EngineOptions; ports: MessagePort[] }
  /** Makes the worker a helper of the engine behind `port`. */
  | { type: "lend"; port: MessagePort }
  | CallRequest
  /** Stops a call between two batches; the answer is `aborted`. */
  | { type: "abort"; id: number };

/** @internal */
export type Answer =
  | { type: "progress"; id: number; done: number; total: number }
  | { type: "done"; id: number; value: Calls[Call]["gives"] }
  | { type: "aborted"; id: number }
  | { type: "failed"; id: number; error: ErrorData };

/** @internal The buffers of the typed arrays in an object, of which each has one of its own: they are transferred. */
export function buffersOf(value: object | null): ArrayBuffer[] {
  return Object.values(value ?? {}).flatMap((part: unknown) =>
    ArrayBuffer.isView(part) ? [part.buffer as ArrayBuffer] : [],
  );
}
