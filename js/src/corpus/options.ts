// Options and results of corpora.

import type { MultiVectorEncoder } from "../encoders/multi-vector.js";
import type { CacheOption } from "../loading/cache.js";
import type { EngineOptions } from "../open.js";
import type { Ranked } from "../score.js";
import type { VectorPrecision } from "../wasm.js";

/** Where a corpus is: in the worker and on the threads of an encoder, or in a worker of its own. */
export interface CorpusPlace extends EngineOptions {
  /**
   * Shares the worker of this encoder, and ends with it. The corpus has to be
   * of its embedding space. By default a corpus has a worker of its own, with
   * one thread unless `threads` says otherwise.
   */
  encoder?: MultiVectorEncoder;
}

/** Options of making a corpus. */
export interface CorpusOptions extends CorpusPlace, AppendOptions {
  /** How vectors are stored; `"f32"` by default. */
  precision?: VectorPrecision;
  /** The embedding space, `info.fingerprint.space` of the encoder that made the vectors; that of `encoder` by default. */
  fingerprint?: string;
  /** Columns of a row, for a corpus that has no documents yet. */
  dim?: number;
}

/** Options of adding documents. */
export interface AppendOptions {
  /** An id for each document; they need not differ. By default their positions. */
  ids?: readonly string[];
  /** Aborts the call, which then adds nothing and throws the signal's reason. */
  signal?: AbortSignal;
}

/** Where corpora are saved. */
export interface SavedOptions {
  /** As for models; see {@link CacheOption}. `true` by default. */
  cache?: Exclude<CacheOption, false>;
}

/** Options of opening a corpus. */
export interface OpenOptions extends CorpusPlace, SavedOptions {}

/** Options of a search. */
export interface SearchOptions {
  /** Searches these documents alone, by positions or by ids. Of equal scores, positions named first are first. */
  among?: readonly number[] | readonly string[];
  /** Refuses the search if the corpus is of another embedding space than this one. */
  fingerprint?: string;
  /** Aborts the search between two pieces; it throws the signal's reason. */
  signal?: AbortSignal;
}

/** A document that was found. */
export interface FoundDocument extends Ranked {
  /** Its id. */
  id: string;
}
