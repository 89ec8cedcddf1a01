// What every environment runs: loads a model and embeds queries.

import { Encoder } from "multivec";

export async function embed(source, texts, options = {}) {
  const encoder = await Encoder.load(source, { precision: "fp32", ...options });
  try {
    const found = await encoder.encodeQueries(texts);
    const { provider, threads, threadsLimit } = encoder.info;
    return { provider, threads, threadsLimit, vectors: found.map(({ data }) => Array.from(data)) };
  } finally {
    encoder.dispose();
  }
}
