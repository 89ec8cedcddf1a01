// Chooses the WebAssembly build and the number of threads.

import { EncoderError, optionError } from "./errors.js";
import { features } from "./features.js";
import { cores, obstacle } from "./threads/obstacle.js";

/** The builds: `base` needs SIMD, `relaxed` relaxed SIMD, `threads` relaxed SIMD and shared memory. */
export type WasmBuild = "base" | "relaxed" | "threads";

/** A `WebAssembly.Module`, where the types of the platform have it. */
export type CompiledWasm = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } }
  ? Module & object
  : object;

/** @internal */
export interface BuildOptions {
  /** Forces a build, or is one, compiled. */
  wasm?: WasmBuild | CompiledWasm | undefined;
  /** Forces a number of threads. */
  threads?: number | undefined;
  /** Whether the engine runs in a worker of its own. */
  worker: boolean;
}

/** @internal */
export interface Build {
  wasm: WasmBuild | WebAssembly.Module;
  threads: number;
  /** Why there is one thread, unless one was asked for. */
  threadsLimit: string | null;
}

const BUILDS: readonly unknown[] = ["base", "relaxed", "threads"] satisfies WasmBuild[];

const MOST_THREADS = 64;

/** @internal */
export async function chooseBuild({ wasm, threads, worker }: BuildOptions): Promise<Build> {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw optionError("threads", `a whole number from 1 to ${MOST_THREADS}`, threads);
  }
  if (typeof WebAssembly === "undefined") throw new EncoderError("unsupported", "WebAssembly is not available here");
  const several = threads !== undefined && threads > 1;
  if (isModule(wasm)) return compiledBuild(wasm, threads);
  if (wasm !== undefined && !BUILDS.includes(wasm)) {
    throw optionError("wasm", '"base", "relaxed", "threads" or a WebAssembly.Module', wasm);
  }
  if (several && wasm !== undefined && wasm !== "threads")
    throw optionError("threads", `1 with the build \`${wasm}\``, threads);
  const relaxed = await features.relaxedSimd();
  const limit = obstacle(worker) ?? (relaxed ? undefined : "they need relaxed SIMD, which this platform lacks");
  if (wasm === "threads" || several) {
    if (limit !== undefined)
      throw new EncoderError(
        "unsupported",
        `option \`${several ? "threads" : "wasm"}\`: several threads cannot run here: ${limit}`,
      );
    return { wasm: "threads", threads: threads ?? cores(), threadsLimit: null };
  }
  if (wasm === undefined && threads === undefined && limit === undefined && cores() > 1) {
    return { wasm: "threads", threads: cores(), threadsLimit: null };
  }
  const threadsLimit =
    threads === 1 ? null : wasm === undefined ? (limit ?? "there is one core") : `the build \`${wasm}\` was asked for`;
  return { wasm: await oneThread(wasm, relaxed), threads: 1, threadsLimit };
}

function isModule(value: unknown): value is WebAssembly.Module {
  return Object.prototype.toString.call(value) === "[object WebAssembly.Module]";
}

function compiledBuild(wasm: WebAssembly.Module, threads: number | undefined): Build {
  // The build `threads` is given its memory.
  if (WebAssembly.Module.imports(wasm).some(({ kind }) => kind === "memory")) {
    throw optionError("wasm", "a module of the builds `base` or `relaxed`, which have a memory of their own", wasm);
  }
  if (threads !== undefined && threads > 1) throw optionError("threads", "1 with a WebAssembly.Module", threads);
  return { wasm, threads: 1, threadsLimit: threads === 1 ? null : "a WebAssembly.Module was given" };
}

async function oneThread(forced: WasmBuild | undefined, relaxed: boolean): Promise<WasmBuild> {
  if (relaxed && forced !== "base") return "relaxed";
  if (forced === "relaxed") {
    throw new EncoderError(
      "unsupported",
      "WebAssembly build `relaxed`: expected relaxed SIMD, which this platform lacks",
    );
  }
  if (!(await features.simd())) {
    throw new EncoderError(
      "unsupported",
      "expected WebAssembly with SIMD (Chromium 91, Firefox 89, Safari 16.4), which this platform lacks",
    );
  }
  return "base";
}
