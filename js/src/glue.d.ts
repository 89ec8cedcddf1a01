// Written by scripts/build.mjs from what wasm-bindgen generates.

import type { WasmModule } from "./wasm.js";

/** Another instance of a compiled module, with a memory of its own. */
export function instantiate(module: WebAssembly.Module): Promise<WasmModule>;
