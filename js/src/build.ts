// Chooses the WebAssembly build and the number of threads.

import { EncoderError, optionError } from "./errors.js";
import { features } from "./features.js";

/** The builds: `base` needs SIMD, `relaxed` relaxed SIMD, `threads` relaxed SIMD and shared memory. */
export type WasmBuild = "base" | "relaxed" | "threads";

/** @internal */
export interface BuildOptions {
  /** Forces a build. */
  wasm?: WasmBuild | undefined;
  /** Forces a number of threads. */
  threads?: number | undefined;
  /** Whether the engine runs in a worker of its own. */
  worker: boolean;
}

/** @internal */
export interface Build {
  wasm: WasmBuild;
  threads: number;
  /** Why there is one thread, unless one was asked for. */
  threadsLimit: string | null;
}

const BUILDS: readonly unknown[] = ["base", "relaxed", "threads"] satisfies WasmBuild[];

const MOST_THREADS = 64;
// More cores are seldom idle, and small batches cannot use them.
const MOST_BY_DEFAULT = 4;

/** @internal */
export async function chooseBuild({ wasm, threads, worker }: BuildOptions): Promise<Build> {
  if (wasm !== undefined && !BUILDS.includes(wasm)) throw optionError("wasm", '"base", "relaxed" or "threads"', wasm);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) {
    throw optionError("threads", `a whole number from 1 to ${MOST_THREADS}`, threads);
  }
  const several = threads !== undefined && threads > 1;
  if (several && wasm !== undefined && wasm !== "threads")
    throw optionError("threads", `1 with the build \`${wasm}\``, threads);
  if (typeof WebAssembly === "undefined") throw new EncoderError("unsupported", "WebAssembly is not available here");
  const relaxed = await features.relaxedSimd();
  const limit = obstacle(worker, relaxed);
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

/** Why several threads cannot run; `undefined` if they can. */
function obstacle(worker: boolean, relaxed: boolean): string | undefined {
  if (typeof Worker !== "function") return "this platform has no Web Workers";
  if (typeof SharedArrayBuffer === "undefined" || globalThis.crossOriginIsolated !== true) {
    return "the page is not cross-origin isolated, which needs the headers `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`";
  }
  if (!worker && typeof document !== "undefined") {
    return "the engine runs in the page's own thread, which must not wait for others; leave out the option `worker`";
  }
  if (!relaxed) return "they need relaxed SIMD, which this platform lacks";
  return undefined;
}

function cores(): number {
  return Math.max(1, Math.min(navigator.hardwareConcurrency, MOST_BY_DEFAULT));
}
