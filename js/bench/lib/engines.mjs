// The engines that are compared.

/** With one thread, and with as many as there are cores. */
export function allEngines(cores) {
  const threads = cores > 1 ? [1, cores] : [1];
  return threads.flatMap((threads) => [
    ...(threads === 1 ? ["relaxed", "base"] : ["threads"]).map((build) => ({
      engine: "multivec",
      build,
      threads,
      kind: "multivec",
      settings: { wasm: build, threads },
    })),
    { engine: "onnxruntime-web", threads, kind: "onnxruntime", settings: { threads } },
    { engine: "transformers.js", threads, kind: "transformers", settings: { threads } },
  ]);
}

export const titleOf = ({ engine, build, threads }) => [engine, build, `${threads} threads`].filter(Boolean).join(" ");
