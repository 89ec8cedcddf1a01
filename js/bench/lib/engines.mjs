// The engines that are compared.

/** The peers of a kind of model: names, and their modules in `page/engines`. */
const PEERS = {
  "multi-vector": { "onnxruntime-web": "onnxruntime", "transformers.js": "transformers" },
  dense: { "transformers.js": "pipeline" },
};

/** With one thread, and with as many as there are cores. */
export function enginesFor(kind, cores) {
  const threads = cores > 1 ? [1, cores] : [1];
  return threads.flatMap((threads) => [
    ...(threads === 1 ? ["relaxed", "base"] : ["threads"]).map((build) => ({
      engine: "multivec",
      build,
      threads,
      module: "multivec",
      settings: { wasm: build, threads },
    })),
    ...Object.entries(PEERS[kind]).map(([engine, module]) => ({ engine, threads, module, settings: { threads } })),
  ]);
}

export const titleOf = ({ engine, build, threads }) => [engine, build, `${threads} threads`].filter(Boolean).join(" ");
