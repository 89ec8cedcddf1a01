// Loads an encoder in this worker, encodes, and disposes of it.

import { Encoder } from "./multivec/dist/index.js";

const TEXTS = ["one document", "another one, which is a little longer", "word ".repeat(400)];

// The memory that threads share is made by its constructor.
let memory;
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    memory = this;
  }
};

onmessage = async ({ data: { source, options } }) => {
  let encoder;
  try {
    encoder = await Encoder.load(source, options);
    const found = await encoder.encodeDocuments(TEXTS, { batchSize: 1, documentLength: 300 });
    postMessage({
      threads: encoder.info.threads,
      vectors: found.map(({ data }) => Array.from(data)),
      memory: memory?.buffer.byteLength,
    });
  } catch (error) {
    postMessage({ code: error.code, message: error.message });
  } finally {
    encoder?.dispose();
  }
};
