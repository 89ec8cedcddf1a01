// Texts of an exact number of tokens, from a seed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../test/support/fixtures.mjs";

// Without the skiplist's punctuation, so that every token is a row.
const WORDS = readFileSync(join(root, "models/demo-corpus.txt"), "utf8").match(/[\p{L}\p{N}]+/gu);

/** `count` documents of exactly `length` tokens, special tokens and marker included: `[{ text, ids, kept }]`. */
export async function textsOfLength(encoder, length, count) {
  const random = generator(length);
  const texts = [];
  while (texts.length < count) texts.push(await textOfLength(encoder, length, random));
  return texts;
}

async function textOfLength(encoder, length, random) {
  let text = "";
  for (let tries = 0; tries < 50 * length; tries += 1) {
    const longer = `${text}${WORDS[random(WORDS.length)]} `;
    const { ids, kept, truncated } = await tokenized(encoder, longer);
    if (ids.length === length && !truncated) return { text: longer, ids, kept };
    // One token too many: another word will do.
    if (ids.length < length) text = longer;
  }
  throw new Error(`no text of ${length} tokens was found`);
}

/** A document as engines want it: `{ text, ids, kept }`. */
export async function tokenized(encoder, text) {
  const [{ ids, kept, truncation }] = await encoder.tokenize([text], "document");
  return { text, ids: Array.from(ids), kept, truncated: truncation.truncated };
}

/** Whole numbers below a limit, by Lehmer's generator (MINSTD). */
function generator(seed) {
  let state = seed * 7919 + 1;
  return (limit) => {
    state = (state * 48271) % 2147483647;
    return state % limit;
  };
}
