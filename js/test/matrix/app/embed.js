// What every environment runs: loads a model, embeds queries, and finds each among them.

import { Corpus, Encoder } from "multivec";

export async function embed(source, texts, options = {}) {
  const encoder = await Encoder.load(source, { precision: "fp32", ...options });
  try {
    const embeddings = await encoder.encodeQueries(texts);
    const { provider, threads, threadsLimit } = encoder.info;
    return {
      provider,
      threads,
      threadsLimit,
      vectors: embeddings.map(({ data }) => Array.from(data)),
      shared: await best(embeddings, { encoder }),
      own: await best(embeddings, options),
    };
  } finally {
    encoder.dispose();
  }
}

/** The position that a search finds for each, in a corpus of them that was kept as bytes. */
async function best(embeddings, place) {
  const corpus = await Corpus.from(embeddings, place);
  const bytes = await corpus.toBytes();
  corpus.dispose();
  const opened = await Corpus.fromBytes(bytes, place);
  const found = await opened.searchMany(embeddings, 1);
  opened.dispose();
  return found.map(([{ index }]) => index);
}
