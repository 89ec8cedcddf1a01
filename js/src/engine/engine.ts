import type { Collected } from "../loading/collect.js";
import type { External, LargeFile } from "../loading/external.js";
import type { EncodeOptions, EncodeProgress, PoolOptions, TextKind } from "../options.js";
import type { Encoded, EngineInfo, Listing, Plan, PooledRows, TokenizedTexts, Wanted } from "../wasm.js";
import type { ScoringCall, ScoringCalls } from "./scoring.js";

/** @internal What an engine says of itself and of the model. */
export type OwnInfo = Omit<EngineInfo, "hub">;

/** @internal Which files a plan is asked for. */
export interface PlanRequest {
  files: Listing;
  wanted: Wanted;
}

/** @internal A model with all of its files. */
export interface LoadRequest {
  files: Collected;
  wanted: Wanted;
  options: EncodeOptions;
}

/** @internal Texts to be encoded or tokenized. */
export interface TextsRequest {
  texts: readonly string[];
  kind: TextKind;
  options: EncodeOptions;
}

/** @internal Texts to be encoded, or pairs of them one after the other. */
export interface EncodeRequest extends Omit<TextsRequest, "kind"> {
  kind: TextKind | "pair";
  /** Texts of the stream before these; positions in errors count from its first. */
  before: number;
}

/** @internal Rows to be pooled. */
export interface PoolRequest {
  /** `[rows, dim]`, row-major. */
  data: Float32Array;
  dim: number;
  options: PoolOptions;
}

/** @internal How a call that runs can be stopped, and reports its progress. */
export interface Control {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EncodeProgress) => void) | undefined;
}

/**
 * Runs a model: in this thread or in a worker. Every failure is an
 * `EncoderError`, or the reason of the signal that was aborted.
 *
 * @internal
 */
export interface Engine {
  /** Resolves once the WebAssembly module has started, which needs no model: a failure shows early. */
  ready(): Promise<null>;
  /** Reads what the files of a model say. */
  plan(request: PlanRequest): Promise<Plan>;
  /** Which files a graph names; its buffer is transferred, and comes back. */
  external(graph: LargeFile): Promise<External>;
  /** Loads the model; the buffers of `files` are transferred. */
  load(request: LoadRequest): Promise<OwnInfo>;
  encode(request: EncodeRequest, control: Control): Promise<Encoded>;
  tokenize(request: TextsRequest): Promise<TokenizedTexts>;
  pool(request: PoolRequest): Promise<PooledRows>;
  /** How the vocabulary spells tokens. */
  spell(ids: Uint32Array): Promise<string[]>;
  /** Scores and corpora, which need no model. Typed arrays of `args` are transferred. */
  scoring<C extends ScoringCall>(
    call: C,
    args: ScoringCalls[C]["takes"],
    control: Control,
  ): Promise<ScoringCalls[C]["gives"]>;
  /** Frees everything; pending calls fail with `disposed`. */
  dispose(): void;
}
