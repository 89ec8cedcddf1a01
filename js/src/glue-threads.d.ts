// Written by scripts/build.mjs from what wasm-bindgen generates.

import type { ThreadsModule } from "./wasm.js";

/** Another instance of the build `threads`, with a memory of its own unless one is given. */
export function instantiate(module: WebAssembly.Module, memory?: WebAssembly.Memory): Promise<ThreadsModule>;
