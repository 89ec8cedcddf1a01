// Texts that are encoded as they are read, for corpora larger than memory.

import { optionError } from "./errors.js";

/** @internal A part of a stream, after `before` texts. */
export interface Part {
  texts: string[];
  before: number;
}

const READ_AHEAD = 1024;

// Reading ahead also ends after so many UTF-16 code units, so that long texts
// do not pile up.
const READ_AHEAD_UNITS = 1 << 20;

/**
 * Groups texts into parts of at most `readAhead`.
 *
 * @internal
 */
export async function* parts(
  texts: Iterable<string> | AsyncIterable<string>,
  { readAhead = READ_AHEAD, signal }: { readAhead?: number | undefined; signal?: AbortSignal | undefined },
): AsyncGenerator<Part, void, undefined> {
  if (!Number.isInteger(readAhead) || readAhead < 1) throw optionError("readAhead", "a whole number from 1", readAhead);
  // A string is an iterable of its characters.
  if (typeof texts === "string" || !isIterable(texts)) {
    throw optionError("texts", "an iterable or async iterable of strings", texts);
  }
  signal?.throwIfAborted();
  let part: Part = { texts: [], before: 0 };
  let units = 0;
  for await (const text of texts) {
    signal?.throwIfAborted();
    part.texts.push(text);
    // What is no string, the engine refuses.
    units += typeof text === "string" ? text.length : 0;
    if (part.texts.length < readAhead && units < READ_AHEAD_UNITS) continue;
    yield part;
    part = { texts: [], before: part.before + part.texts.length };
    units = 0;
  }
  if (part.texts.length > 0) yield part;
}

function isIterable(value: unknown): boolean {
  const object = Object(value);
  return Symbol.asyncIterator in object || Symbol.iterator in object;
}
