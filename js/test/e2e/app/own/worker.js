// Loads an encoder in this worker, encodes, and disposes it.

import { Encoder } from "./multivec/dist/index.js";

const LONG = "word ".repeat(400);
const TEXTS = ["one document", "another one, which is a little longer", LONG];

// The memory that threads share is made by its constructor.
let memory;
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor) {
    super(descriptor);
    memory = this;
  }
};

globalThis.onmessage = async ({ data: { source, options } }) => {
  let encoder;
  try {
    encoder = await Encoder.load(source, options);
    const limits = { batchSize: 1, documentLength: 300 };
    const alone = await encoder.encodeDocuments([LONG], limits);
    const size = memory?.buffer.byteLength;
    const together = await encoder.encodeDocuments(TEXTS, limits);
    const vectors = [...alone, ...together].map(({ data }) => Array.from(data));
    postMessage({ threads: encoder.info.threads, vectors, memory: size });
  } catch (error) {
    postMessage({ code: error.code, message: error.message });
  } finally {
    encoder?.dispose();
  }
};
