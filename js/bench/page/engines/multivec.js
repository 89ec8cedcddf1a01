// This package, by its public interface: what is timed has everything in it,
// from the text to normalized rows.

import { DenseEncoder, Encoder } from "/multivec/dist/index.js";

const KINDS = {
  "multi-vector": { load: Encoder.load, vector: ({ data }) => data },
  dense: { load: DenseEncoder.load, vector: ({ values }) => values },
};

export async function load(model, { wasm, threads }) {
  const { load, vector } = KINDS[model.kind];
  const encoder = await load(model.files, {
    worker: false,
    cache: false,
    precision: model.precision,
    wasm,
    threads,
  });
  return {
    prepare: (texts) => texts.map(({ text }) => text),
    run: (texts) => encoder.encodeDocuments(texts),
    tokenize: (texts) =>
      encoder.tokenize(
        texts.map(({ text }) => text),
        "document",
      ),
    vectors: (embeddings) => joined(embeddings.map(vector)),
  };
}

function joined(parts) {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
