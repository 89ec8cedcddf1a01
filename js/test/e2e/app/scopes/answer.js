// What a worker of any kind answers: an embedding, computed in place.

import { Encoder } from "./multivec/dist/index.js";

export async function answer({ source, text, options }) {
  try {
    const encoder = await Encoder.load(source, { precision: "fp32", ...options });
    const { data } = await encoder.encodeQuery(text);
    const { threads, threadsLimit } = encoder.info;
    encoder.dispose();
    return { data: Array.from(data), threads, threadsLimit };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}
