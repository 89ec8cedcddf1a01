import type { EncodeOptions, EncodeProgress, Precision, TextKind } from "../options.js";
import type { EncodedTexts, EngineInfo, FileNames, TokenizedTexts } from "../wasm.js";

/** @internal What a model is made of. */
export interface EngineFiles {
  model: Uint8Array;
  tokenizer: Uint8Array;
  config: Uint8Array;
  names: FileNames;
  precision: Precision;
}

/** @internal What a call can be told, and tells, while it runs. */
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
  /** Waits for what does not need the model, so that its failure shows before the model is there. */
  ready(): Promise<null>;
  /** Builds the model; takes the buffers of `files` over. */
  load(files: EngineFiles, options: EncodeOptions): Promise<EngineInfo>;
  encode(texts: string[], kind: TextKind, options: EncodeOptions, control: Control): Promise<EncodedTexts>;
  tokenize(texts: string[], kind: TextKind, options: EncodeOptions): Promise<TokenizedTexts>;
  tokenTexts(ids: Uint32Array): Promise<string[]>;
  /** Frees everything; calls under way fail with `disposed`. */
  dispose(): void;
}
