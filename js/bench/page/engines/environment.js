// transformers.js, set to files of this server.

import { env } from "/bundled/transformers.js";

/** Has it load its own choice of an ONNX Runtime build, and models, from this server. */
export function setUp(threads) {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = "/transformers/";
  env.useBrowserCache = false;
  env.useWasmCache = false;
  const folder = new URL("/onnxruntime/", location.href).href;
  const { wasm } = env.backends.onnx;
  wasm.numThreads = threads;
  // By default the same files come from a CDN.
  wasm.wasmPaths = {
    mjs: `${folder}ort-wasm-simd-threaded.asyncify.mjs`,
    wasm: `${folder}ort-wasm-simd-threaded.asyncify.wasm`,
  };
}

/** Options for the model's graph. */
export const graphOptions = ({ precision }) => ({ dtype: precision, device: "wasm" });
