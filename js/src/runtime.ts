// Which WebAssembly build to take, and where it is.

import { EncoderError, messageOf, optionError } from "./errors.js";
import { features } from "./features.js";
import { instantiate } from "./glue.js";
import { node } from "./platform.js";
import type { WasmModule } from "./wasm.js";

/** The two builds: for every browser with SIMD, and for those with relaxed SIMD. */
export type WasmBuild = "base" | "relaxed";

/** @internal */
export interface RuntimeOptions {
  /** Forces a build. */
  wasm?: WasmBuild;
  /** Folder with what the package has in `wasm/`; by default that lies beside its code. */
  wasmBase?: string;
}

const FILES: Record<WasmBuild, string> = {
  base: "base/multivec_wasm_bg.wasm",
  relaxed: "relaxed/multivec_wasm_bg.wasm",
};

// Compiled once for all encoders of a thread.
const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** @internal */
export async function loadRuntime(options: RuntimeOptions): Promise<WasmModule> {
  const url = locate(await choose(options.wasm), options.wasmBase);
  let module = compiled.get(url.href);
  if (module === undefined) {
    module = compile(url);
    compiled.set(url.href, module);
    // A failure must not be kept for the next encoder.
    module.catch(() => compiled.delete(url.href));
  }
  return instantiate(await module);
}

async function choose(forced: WasmBuild | undefined): Promise<WasmBuild> {
  if (forced !== undefined && !(forced in FILES)) throw optionError("wasm", '"base" or "relaxed"', forced);
  if (typeof WebAssembly === "undefined") {
    throw new EncoderError("unsupported", "WebAssembly is not available here");
  }
  const relaxed = forced !== "base" && (await features.relaxedSimd());
  if (relaxed) return "relaxed";
  if (forced === "relaxed") {
    throw new EncoderError("unsupported", "WebAssembly build `relaxed`: expected relaxed SIMD, which this platform lacks");
  }
  if (!(await features.simd())) {
    throw new EncoderError("unsupported", "expected WebAssembly with SIMD (Chromium 91, Firefox 89, Safari 16.4), which this platform lacks");
  }
  return "base";
}

function locate(build: WasmBuild, base: string | undefined): URL {
  if (base !== undefined) return new URL(FILES[build], base.endsWith("/") ? base : `${base}/`);
  // Literals, because bundlers look for exactly this form.
  return build === "relaxed"
    ? new URL("../wasm/relaxed/multivec_wasm_bg.wasm", import.meta.url)
    : new URL("../wasm/base/multivec_wasm_bg.wasm", import.meta.url);
}

async function compile(url: URL): Promise<WebAssembly.Module> {
  const parts = url.protocol === "file:" ? node() : undefined;
  try {
    if (parts !== undefined) return await WebAssembly.compile(await parts.fs.readFile(url) as Uint8Array<ArrayBuffer>);
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) {
      throw new EncoderError("http", `${url.href}: expected a WebAssembly file, found HTTP ${response.status}`, {
        status: response.status,
        url: url.href,
      });
    }
    // Servers without the media type are common enough.
    const streams = response.headers.get("content-type")?.startsWith("application/wasm") === true;
    return await (streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  } catch (cause) {
    if (cause instanceof EncoderError) throw cause;
    const code = cause instanceof WebAssembly.CompileError ? "unsupported" : cause instanceof RangeError ? "out_of_memory" : "network";
    throw new EncoderError(code, `${url.href}: the WebAssembly file cannot be loaded: ${messageOf(cause)}`, { url: url.href, cause });
  }
}
