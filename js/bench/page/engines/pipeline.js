// transformers.js by its pipeline for dense embeddings, from texts to normalized
// vectors.

import { pipeline } from "/bundled/transformers.js";
import { graphOptions, setUp } from "./environment.js";

export async function load(model, { threads }) {
  setUp(threads);
  const extract = await pipeline("feature-extraction", model.name, graphOptions(model));
  return {
    prepare: (texts) => texts.map(({ text }) => text),
    run: (texts) => extract(texts, { pooling: "mean", normalize: true }),
    tokenize: (texts) =>
      extract.tokenizer(
        texts.map(({ text }) => text),
        { padding: true, truncation: true },
      ),
    vectors: ({ data }) => data,
  };
}
