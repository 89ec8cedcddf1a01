// One engine in a worker of its own. Times are taken here, so that messages
// are in none of them.

import { memoryBytes } from "./memory.js";

const ENGINES = {
  multivec: () => import("./engines/multivec.js"),
  onnxruntime: () => import("./engines/onnxruntime.js"),
  transformers: () => import("./engines/transformers.js"),
  pipeline: () => import("./engines/pipeline.js"),
};

const inputs = new Map();
let engine;

const calls = {
  /** From nothing to a loaded model; milliseconds. */
  async load({ module, settings, model }) {
    const start = performance.now();
    const { load } = await ENGINES[module]();
    engine = await load(model, settings);
    return { milliseconds: performance.now() - start, memory: memoryBytes() };
  },

  /** Takes the texts of a case, `[{ text, ids, kept }]`, in the form that the engine wants. */
  prepare({ name, texts }) {
    inputs.set(name, { input: engine.prepare(texts), texts });
  },

  /** Runs a case at least `least` times, and until `span` milliseconds are over; milliseconds of each run. */
  async run({ name, least, span }) {
    const { input } = inputs.get(name);
    const times = [];
    for (let spent = 0; times.length < least || spent < span; ) {
      const start = performance.now();
      await engine.run(input);
      times.push(performance.now() - start);
      spent += times.at(-1);
    }
    return times;
  },

  /** Milliseconds of tokenizing alone, for engines that begin with texts. */
  async tokenize({ name, least }) {
    const { texts } = inputs.get(name);
    const times = [];
    while (engine.tokenize && times.length < least) {
      const start = performance.now();
      await engine.tokenize(texts);
      times.push(performance.now() - start);
    }
    return times;
  },

  /** The kept rows of all texts of a case, one after the other. */
  async vectors({ name }) {
    const { input, texts } = inputs.get(name);
    return engine.vectors(await engine.run(input), texts);
  },

  memory: () => memoryBytes(),
};

globalThis.onmessage = async ({ data: { id, call, args } }) => {
  try {
    postMessage({ id, value: await calls[call](args) });
  } catch (error) {
    postMessage({ id, failed: { message: String(error?.message ?? error), code: error?.code } });
  }
};
