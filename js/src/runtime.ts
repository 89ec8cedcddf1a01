// Finds, compiles and instantiates the WebAssembly module.

import type { WasmBuild } from "./build.js";
import { EncoderError, messageOf } from "./errors.js";
import { instantiate } from "./glue.js";
import { instantiate as instantiateShared } from "./glue-threads.js";
import { node } from "./platform.js";
import { shareOut } from "./threads/engine.js";
import type { WasmModule } from "./wasm.js";

/** @internal */
export interface RuntimeOptions {
  wasm: WasmBuild;
  /** Address of a copy of the package's folder `wasm/`; by default the folder beside its code. */
  wasmBase?: string;
}

const FILES: Record<WasmBuild, string> = {
  base: "base/multivec_wasm_bg.wasm",
  relaxed: "relaxed/multivec_wasm_bg.wasm",
  threads: "threads/multivec_wasm_bg.wasm",
};

// Compiled once for all encoders of a thread.
const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** @internal A new instance, shared with the threads behind `ports`. */
export async function loadRuntime(
  { wasm, wasmBase }: RuntimeOptions,
  ports: readonly MessagePort[],
): Promise<WasmModule> {
  const url = locate(wasm, wasmBase);
  let compiling = compiled.get(url.href);
  if (compiling === undefined) {
    compiling = compile(url);
    compiled.set(url.href, compiling);
    // The next encoder tries again after a failure.
    compiling.catch(() => compiled.delete(url.href));
  }
  const module = await compiling;
  if (wasm !== "threads") return instantiate(module);
  const instance = await instantiateShared(module);
  await shareOut(module, instance.memory, ports);
  return instance;
}

function locate(build: WasmBuild, base: string | undefined): URL {
  if (base !== undefined) return new URL(FILES[build], base.endsWith("/") ? base : `${base}/`);
  // Bundlers look for exactly this form, with literals.
  switch (build) {
    case "base":
      return new URL("../wasm/base/multivec_wasm_bg.wasm", import.meta.url);
    case "relaxed":
      return new URL("../wasm/relaxed/multivec_wasm_bg.wasm", import.meta.url);
    case "threads":
      return new URL("../wasm/threads/multivec_wasm_bg.wasm", import.meta.url);
  }
}

async function compile(url: URL): Promise<WebAssembly.Module> {
  const parts = url.protocol === "file:" ? node() : undefined;
  try {
    if (parts !== undefined)
      return await WebAssembly.compile((await parts.fs.readFile(url)) as Uint8Array<ArrayBuffer>);
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) {
      throw new EncoderError("http", `${url.href}: expected a WebAssembly file, found HTTP ${response.status}`, {
        status: response.status,
        url: url.href,
      });
    }
    // Many servers do not know the media type.
    const streams = response.headers.get("content-type")?.startsWith("application/wasm") === true;
    return await (streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  } catch (cause) {
    if (cause instanceof EncoderError) throw cause;
    const code =
      cause instanceof WebAssembly.CompileError
        ? "unsupported"
        : cause instanceof RangeError
          ? "out_of_memory"
          : "network";
    throw new EncoderError(code, `${url.href}: the WebAssembly file cannot be loaded: ${messageOf(cause)}`, {
      url: url.href,
      cause,
    });
  }
}
