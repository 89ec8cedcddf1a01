// Written by scripts/build.mjs from what wasm-bindgen generates.

import type { ThreadsModule } from "./wasm.js";

/** One more instance of the build `threads`: with a memory of its own, or with that of another one. */
export function instantiate(module: WebAssembly.Module, memory?: WebAssembly.Memory): Promise<ThreadsModule>;
