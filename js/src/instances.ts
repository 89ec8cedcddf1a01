// Instances of the WebAssembly module on this thread, for functions that cannot wait for one.

import { toEncoderError } from "./engine/failure.js";
import type { WasmModule } from "./wasm.js";

// Weakly, so that an encoder that nobody holds is collected with its memory.
const live = new Set<WeakRef<WasmModule>>();

/** @internal Lets functions of this thread use an instance, as long as its engine holds it. The result withdraws it. */
export function offer(instance: WasmModule): () => void {
  const reference = new WeakRef(instance);
  live.add(reference);
  return () => live.delete(reference);
}

/** @internal Runs a call of an instance; `undefined` where there is none that works. */
export function withInstance<T>(run: (instance: WasmModule) => T): T | undefined {
  for (const reference of live) {
    const instance = reference.deref();
    try {
      if (instance !== undefined) return run(instance);
    } catch (thrown) {
      const error = toEncoderError(thrown);
      if (error.code !== "panicked" && error.code !== "out_of_memory") throw error;
    }
    // It is gone, or has failed, also for its encoder.
    live.delete(reference);
  }
  return undefined;
}
