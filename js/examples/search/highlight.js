// From matches of rows to coloured words.

import { element } from "../support/dom.js";
import { levelOf } from "./question.js";
import { isStopWord, wordAt, wordsOf } from "./words.js";

/** For each mark, how relevant it is to the words of the query that it matched. */
const relevances = new WeakMap();

/** A hue for each word of a query; `undefined` for stop words. */
export function huesOf(words) {
  const coloured = words.filter(({ isStopWord }) => !isStopWord);
  return words.map((word) => {
    const at = coloured.indexOf(word);
    return at === -1 ? undefined : Math.round((360 * at) / coloured.length + 250) % 360;
  });
}

/**
 * A passage as nodes, with a mark at every word that a word of the query
 * matched, in the colour of the word that matched best. Stop words fade.
 */
export function highlight(text, embedding, question, hues) {
  const words = wordsOf(text);
  const marks = new Map();
  for (const { row, word, relevance } of question.matches(embedding)) {
    if (row === null || word === -1) continue;
    const [token] = embedding.rowTokens(row);
    const at = token.span === null ? -1 : wordAt(words, token.span);
    if (at === -1) continue;
    const mark = marks.get(at) ?? { found: new Map(), hue: undefined, strength: 0 };
    mark.found.set(word, Math.max(relevance, mark.found.get(word) ?? 0));
    if (hues[word] !== undefined && relevance > mark.strength) {
      Object.assign(mark, { hue: hues[word], strength: relevance });
    }
    marks.set(at, mark);
  }
  const nodes = [];
  let end = 0;
  for (const at of [...marks.keys()].sort((left, right) => left - right)) {
    const { found, hue, strength } = marks.get(at);
    const [from, to] = words[at];
    const mark = element("mark", { textContent: text.slice(from, to) });
    relevances.set(mark, found);
    if (hue !== undefined) {
      mark.style.setProperty("--hue", hue);
      const share = Math.min(1, (isStopWord(mark.textContent) ? 0.5 : 1.4) * strength);
      mark.style.setProperty("--strength", `${Math.round(100 * share)}%`);
    }
    nodes.push(text.slice(end, from), mark);
    end = to;
  }
  nodes.push(text.slice(end));
  return nodes;
}

/** Shows what one word of the query found in `place`; `null`: what all found. */
export function focusOn(word, place) {
  place.toggleAttribute("data-focus", word !== null);
  for (const mark of place.querySelectorAll("mark")) {
    const relevance = relevances.get(mark).get(word);
    mark.classList.toggle("on", relevance !== undefined);
    mark.classList.toggle("faint", relevance !== undefined && levelOf(relevance) === "weak");
  }
}
