// Loads an encoder in this worker, encodes, and disposes of it.

import { Encoder } from "./multivec/dist/index.js";

const TEXTS = ["one document", "another one, which is a little longer", "a third"];

onmessage = async ({ data: { source, options } }) => {
  let encoder;
  try {
    encoder = await Encoder.load(source, options);
    const found = await encoder.encodeDocuments(TEXTS, { batchSize: 1 });
    postMessage({ threads: encoder.info.threads, vectors: found.map(({ data }) => Array.from(data)) });
  } catch (error) {
    postMessage({ code: error.code, message: error.message });
  } finally {
    encoder?.dispose();
  }
};
