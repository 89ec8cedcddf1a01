// Compiles and instantiates the WebAssembly module.

import { type Addresses, wasmAddress } from "./addresses.js";
import type { WasmBuild } from "./build.js";
import { EncoderError, type EncoderErrorCode, messageOf } from "./errors.js";
import { instantiate } from "./glue.js";
import { instantiate as instantiateShared } from "./glue-threads.js";
import { node } from "./platform.js";
import { shareOut } from "./threads/engine.js";
import type { WasmModule } from "./wasm.js";

/** @internal */
export interface RuntimeOptions extends Addresses {
  /** A build of the package, or what was compiled from one. */
  wasm: WasmBuild | WebAssembly.Module;
}

// Compiled once for all encoders of a thread.
const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** @internal A new instance, shared with the threads behind `ports`. */
export async function loadRuntime(
  { wasm, wasmBase }: RuntimeOptions,
  ports: readonly MessagePort[],
): Promise<WasmModule> {
  if (typeof wasm === "object") {
    return refused("option `wasm`", "invalid_option", () => instantiate(wasm));
  }
  const url = await wasmAddress(wasm, wasmBase);
  let compiling = compiled.get(url.href);
  if (compiling === undefined) {
    compiling = compile(url);
    compiled.set(url.href, compiling);
    // The next encoder tries again after a failure.
    compiling.catch(() => compiled.delete(url.href));
  }
  const module = await compiling;
  if (wasm !== "threads") return refused(url.href, "unsupported", () => instantiate(module));
  const instance = await refused(url.href, "unsupported", () => instantiateShared(module));
  await shareOut(module, instance.memory, ports);
  return instance;
}

async function compile(url: URL): Promise<WebAssembly.Module> {
  const parts = url.protocol === "file:" ? node() : undefined;
  return refused(url.href, "network", async () => {
    if (parts !== undefined) return WebAssembly.compile((await parts.fs.readFile(url)) as Uint8Array<ArrayBuffer>);
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) {
      throw new EncoderError("http", `${url.href}: expected a WebAssembly file, found HTTP ${response.status}`, {
        status: response.status,
        url: url.href,
      });
    }
    // Many servers do not know the media type.
    const streams = response.headers.get("content-type")?.startsWith("application/wasm") === true;
    return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
  });
}

/** Runs a step of loading; `otherwise` is the code of failures that tell nothing by their type. */
async function refused<T>(where: string, otherwise: EncoderErrorCode, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof EncoderError) throw cause;
    // Some engines obey a content security policy when they compile, others when they instantiate.
    const code =
      cause instanceof WebAssembly.CompileError
        ? "unsupported"
        : cause instanceof RangeError
          ? "out_of_memory"
          : otherwise;
    const hint =
      code === "unsupported" ? " (a content security policy has to allow `script-src 'wasm-unsafe-eval'`)" : "";
    throw new EncoderError(
      code,
      `${where}: the WebAssembly module cannot be loaded${hint}: ${messageOf(cause)}`,
      otherwise === "invalid_option" ? { cause } : { url: where, cause },
    );
  }
}
