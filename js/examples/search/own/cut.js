// Cuts texts into passages: whole sentences, short enough to be read at a
// glance, and never over the end of a section.

import { pauses } from "../../support/pause.js";

/** Most UTF-16 code units of a passage. */
const LONGEST = 400;
/** A passage shorter than this goes on with the next paragraph. */
const SHORTEST = 40;

/**
 * Passages of sections `{ title, text, whole }`, at most `limit`; of a `whole`
 * one, such as a row of a table, a passage of its own.
 * Returns `{ passages, isComplete }`.
 */
export async function cut(sections, { limit, signal }) {
  const pause = pauses(signal);
  const passages = [];
  for (const section of sections) {
    for (const text of texts(section)) {
      await pause();
      if (passages.length === limit) return { passages, isComplete: false };
      passages.push({ title: section.title, text });
    }
  }
  return { passages, isComplete: true };
}

function* texts(section) {
  let last;
  for (const text of packed(section)) {
    // What is left at the end, such as the number of a page, is no passage of its own.
    if (last !== undefined && text.length < SHORTEST && last.length + 1 + text.length <= LONGEST) {
      last = `${last} ${text}`;
      continue;
    }
    if (last !== undefined) yield last;
    last = text;
  }
  if (last !== undefined) yield last;
}

function* packed({ text, whole }) {
  let passage = "";
  for (const paragraph of whole ? [text] : text.split(/\n\s*\n/)) {
    for (const sentence of whole ? [oneLine(text)] : sentences(paragraph)) {
      for (const part of parts(sentence)) {
        if (passage !== "" && passage.length + 1 + part.length > LONGEST) {
          yield passage;
          passage = "";
        }
        passage = passage === "" ? part : `${passage} ${part}`;
      }
    }
    if (passage.length < SHORTEST) continue;
    yield passage;
    passage = "";
  }
  if (passage !== "") yield passage;
}

const oneLine = (text) => text.replaceAll(/\s+/gu, " ").trim();

const segmenter = Intl.Segmenter === undefined ? undefined : new Intl.Segmenter(undefined, { granularity: "sentence" });

/** The sentences of a paragraph. Lines that were not wrapped are some too. */
function* sentences(paragraph) {
  for (const line of unwrapped(paragraph)) {
    // Firefox before 125 has no segmenter.
    const found = segmenter?.segment(line) ?? line.split(/(?<=[.!?…。！？])\s+/u).map((segment) => ({ segment }));
    for (const { segment } of found) {
      const sentence = oneLine(segment);
      if (sentence !== "") yield sentence;
    }
  }
}

/**
 * The lines of a paragraph, with those joined that were wrapped: where the next
 * word would have made a line longer than all others.
 */
function* unwrapped(paragraph) {
  const lines = paragraph
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const width = lines.reduce((longest, { length }) => Math.max(longest, length), 0);
  let joined = "";
  for (const [at, line] of lines.entries()) {
    joined = joined === "" ? line : `${joined} ${line}`;
    const next = lines[at + 1]?.split(/\s/u, 1)[0];
    if (next !== undefined && line.length + 1 + next.length > width) continue;
    yield joined;
    joined = "";
  }
}

/** A sentence in parts of at most `LONGEST`, between words where it has any. */
function* parts(sentence) {
  let rest = sentence;
  while (rest.length > LONGEST) {
    const space = rest.lastIndexOf(" ", LONGEST);
    let end = space > LONGEST / 2 ? space : LONGEST;
    // Not between the halves of a surrogate pair.
    if (/[\uD800-\uDBFF]/.test(rest[end - 1])) end -= 1;
    yield rest.slice(0, end).trim();
    rest = rest.slice(end).trim();
  }
  if (rest !== "") yield rest;
}
