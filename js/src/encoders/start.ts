// From a source and options to an engine with a model.

import { displaced } from "../addresses.js";
import { type CompiledWasm, chooseBuild, type WasmBuild } from "../build.js";
import type { Engine } from "../engine/engine.js";
import { LocalEngine } from "../engine/local.js";
import { EncoderError, optionError } from "../errors.js";
import { loadFiles } from "../loading/load.js";
import { LONGEST_STORING, type LoadedFiles } from "../loading/loader.js";
import type { FileOptions } from "../loading/options.js";
import type { ModelSource } from "../loading/source.js";
import { type EncodeOptions, encodeOptions } from "../options.js";
import { settled } from "../platform.js";
import { HelpedEngine } from "../threads/local.js";
import type { EngineInfo, ModelKind } from "../wasm.js";
import { WorkerEngine } from "../worker/client.js";

/** Options of loading an encoder. */
export interface LoadOptions extends EncodeOptions, FileOptions {
  /**
   * Whether to run in a Web Worker, so that a page never freezes. `true` by
   * default where there are Web Workers, which Node lacks.
   */
  worker?: boolean;
  /**
   * Threads to run on, 1 to 64. By default as many as there are cores, up to
   * 4, where the page is cross-origin isolated and the engine runs in a
   * worker; else 1, and `info.threadsLimit` says why.
   */
  threads?: number;
  /**
   * Forces a WebAssembly build, by default the best that the platform can run;
   * or what was compiled of `multivec/wasm/base/multivec_wasm_bg.wasm` or its
   * sibling in `relaxed`, for platforms that compile code only when it is
   * deployed.
   */
  wasm?: WasmBuild | CompiledWasm;
  /** Address of a copy of the package's folder `wasm/`, such as on a CDN; by default the folder beside its code. */
  wasmBase?: string | URL;
}

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
};

/** @internal Loads a model, of a kind if one is given. */
export async function start(source: ModelSource, options: LoadOptions, wanted?: ModelKind): Promise<Loaded> {
  const { signal } = options;
  const encode = encodeOptions(options);
  signal?.throwIfAborted();
  const engine = await open(options);
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
    loading = loadFiles(source, { ...options, signal: abort.signal }, async (files, precision) => {
      const plan = await engine.plan({ files, precision });
      // Before weights are downloaded.
      checkKind(plan.kind, wanted);
      return plan;
    });
    const [{ hub, ...files }] = await Promise.race([Promise.all([loading, engine.ready()]), aborted]);
    const info = await engine.load({ ...files, precision: options.precision }, encode);
    signal?.throwIfAborted();
    checkKind(info.kind, wanted);
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

async function open(options: LoadOptions): Promise<Engine> {
  const { worker = typeof Worker === "function", threads, wasm, wasmBase } = options;
  const base = wasmBase !== undefined && { wasmBase: absolute(wasmBase) };
  if (worker && typeof Worker !== "function") {
    throw new EncoderError(
      "unsupported",
      "option `worker`: this platform has no Web Workers; leave the option out to run in place",
    );
  }
  const engine = { ...(await chooseBuild({ wasm, threads, worker })), ...(await displaced()), ...base };
  if (worker) return new WorkerEngine(engine);
  return engine.threads > 1 ? new HelpedEngine(engine) : new LocalEngine(engine);
}

// A worker would resolve a relative address against its own.
function absolute(address: string | URL): string {
  try {
    return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href).href;
  } catch {
    throw optionError("wasmBase", "an address", address);
  }
}
