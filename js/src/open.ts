// Starts engines: in a worker or in place.

import { displaced } from "./addresses.js";
import { type CompiledWasm, chooseBuild, type WasmBuild } from "./build.js";
import type { Engine } from "./engine/engine.js";
import { LocalEngine } from "./engine/local.js";
import { EncoderError, optionError } from "./errors.js";
import { HelpedEngine } from "./threads/local.js";
import { WorkerEngine } from "./worker/client.js";

/** Where and how an engine runs. */
export interface EngineOptions {
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

/** @internal Starts an engine, which has no model yet. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
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
