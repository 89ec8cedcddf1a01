// What page and worker say to each other. Every request has an id, and every
// answer that of its request.

import type { EngineFiles } from "../engine/engine.js";
import type { ErrorData } from "../errors.js";
import type { EncodeOptions, TextKind } from "../options.js";
import type { EngineOptions } from "../engine/local.js";
import type { EncodedTexts, EngineInfo, TokenizedTexts } from "../wasm.js";

/** @internal The calls, with what each takes and gives. */
export interface Calls {
  ready: { takes: null; gives: null };
  load: { takes: { files: EngineFiles; options: EncodeOptions }; gives: EngineInfo };
  encode: { takes: { texts: string[]; kind: TextKind; options: EncodeOptions }; gives: EncodedTexts };
  tokenize: { takes: { texts: string[]; kind: TextKind; options: EncodeOptions }; gives: TokenizedTexts };
  tokenTexts: { takes: { ids: Uint32Array }; gives: string[] };
}

/** @internal */
export type Call = keyof Calls;

/** @internal A call with its arguments. */
export type CallRequest = { [C in Call]: { type: "call"; id: number; call: C; args: Calls[C]["takes"] } }[Call];

/** @internal */
export type Request =
  /** Makes it an engine, which helpers wait for behind `ports`. */
  | { type: "start"; options: EngineOptions; ports: MessagePort[] }
  /** Makes it a helper of the engine behind `port`. */
  | { type: "lend"; port: MessagePort }
  | CallRequest
  /** Stops a call between two batches; it answers `aborted`. */
  | { type: "abort"; id: number };

/** @internal */
export type Answer =
  | { type: "progress"; id: number; done: number; total: number }
  | { type: "done"; id: number; value: Calls[Call]["gives"] }
  | { type: "aborted"; id: number }
  | { type: "failed"; id: number; error: ErrorData };
