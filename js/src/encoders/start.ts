// From a source and options to an engine with a model.

import type { Engine } from "../engine/engine.js";
import { EncoderError } from "../errors.js";
import { loadFiles } from "../loading/load.js";
import { LONGEST_STORING, type LoadedFiles } from "../loading/loader.js";
import type { FileOptions } from "../loading/options.js";
import type { ModelSource } from "../loading/source.js";
import { type EngineOptions, openEngine } from "../open.js";
import { type EncodeOptions, encodeOptions } from "../options.js";
import { settled } from "../platform.js";
import type { EngineInfo, ModelKind } from "../wasm.js";

/** Options of loading an encoder. */
export interface LoadOptions extends EncodeOptions, FileOptions, EngineOptions {}

/** @internal A loaded model. */
export interface Loaded {
  engine: Engine;
  info: EngineInfo;
  options: EncodeOptions;
}

/** What loads the models of a kind. */
const CLASSES: Record<ModelKind, string> = {
  "multi-vector": "MultiVectorEncoder",
  dense: "DenseEncoder",
  sparse: "SparseEncoder",
  "cross-encoder": "CrossEncoder",
  hybrid: "HybridEncoder",
};

/** @internal Loads a model, as one of a kind if one is given. */
export async function start(source: ModelSource, options: LoadOptions, kind?: ModelKind): Promise<Loaded> {
  const { signal } = options;
  const encode = encodeOptions(options);
  signal?.throwIfAborted();
  const engine = await openEngine(options);
  // Ends the download when the engine fails, and both when the caller aborts.
  const abort = new AbortController();
  let giveUp: (reason: unknown) => void;
  const aborted = new Promise<never>((_, reject) => (giveUp = reject));
  aborted.catch(() => undefined);
  const stop = () => {
    abort.abort(signal?.reason);
    engine.dispose();
    giveUp(signal?.reason);
  };
  signal?.addEventListener("abort", stop, { once: true });
  let loading: Promise<LoadedFiles> | undefined;
  try {
    signal?.throwIfAborted();
    loading = loadFiles(
      source,
      { ...options, signal: abort.signal },
      {
        plan: (files, precision) => engine.plan({ files, wanted: { precision, kind } }),
        external: (graph) => engine.external(graph),
        accept: (plan) => plan.kind !== null && checkKind(plan.kind, kind),
      },
    );
    const [{ hub, ...files }] = await Promise.race([Promise.all([loading, engine.ready()]), aborted]);
    const wanted = { precision: options.precision, kind };
    const info = await engine.load({ files, wanted, options: encode });
    signal?.throwIfAborted();
    checkKind(info.kind, kind);
    return { engine, info: { ...info, hub }, options: encode };
  } catch (error) {
    abort.abort(error);
    engine.dispose();
    // The page may be left at once: what has arrived is safe then.
    if (loading !== undefined) await settled(loading, LONGEST_STORING);
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function checkKind(found: ModelKind, wanted: ModelKind | undefined): void {
  if (wanted === undefined || found === wanted) return;
  throw new EncoderError(
    "model_mismatch",
    `the model: expected a ${wanted} model, found a ${found} model, which \`${CLASSES[found]}.load\` loads`,
  );
}
