// transformers.js, as it comes: its own choice of an ONNX Runtime build.

import { AutoModel, env, Tensor } from "/bundled/transformers.js";
import { idsOf, keptRows, shapeOf } from "./tensors.js";

export async function load(model, { threads }) {
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
  const dtype = model.precision === "int8" ? "int8" : "fp32";
  const loaded = await AutoModel.from_pretrained(model.name, { dtype, device: "wasm" });
  return {
    prepare(texts) {
      const shape = shapeOf(texts);
      const tensor = (values) => new Tensor("int64", values, shape);
      const count = shape[0] * shape[1];
      return {
        input_ids: tensor(idsOf(texts)),
        attention_mask: tensor(new BigInt64Array(count).fill(1n)),
        ...(model.tokenTypes && { token_type_ids: tensor(new BigInt64Array(count)) }),
      };
    },
    run: (feeds) => loaded(feeds),
    vectors: (outputs, texts) => keptRows(Object.values(outputs)[0], texts),
  };
}
