// onnxruntime-web, its build for the CPU.

import { idsOf, keptRows, shapeOf } from "./tensors.js";

export async function load(model, { threads }) {
  const ort = await import("/onnxruntime/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("/onnxruntime/", location.href).href;
  const session = await ort.InferenceSession.create(model.graph, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  return {
    prepare(texts) {
      const shape = shapeOf(texts);
      const count = shape[0] * shape[1];
      const all = {
        input_ids: idsOf(texts),
        attention_mask: new BigInt64Array(count).fill(1n),
        token_type_ids: new BigInt64Array(count),
      };
      return Object.fromEntries(session.inputNames.map((name) => [name, new ort.Tensor("int64", all[name], shape)]));
    },
    run: (feeds) => session.run(feeds),
    vectors: (outputs, texts) => keptRows(outputs[session.outputNames[0]], texts),
  };
}
