// What a query found: its words as buttons, a sentence, and the passages.

import { card } from "../support/card.js";
import { $, element } from "../support/dom.js";
import { focusOn, highlight, huesOf } from "./highlight.js";
import { levelOf } from "./question.js";

const SHOWN = 8;
/** Passages that are shown although they are hardly related. */
const SHOWN_WEAK = 3;
const LABELS = { strong: "close", fair: "related", weak: "weak" };

export function clearResults() {
  $("words").replaceChildren();
  $("results").replaceChildren();
  $("summary").textContent = "";
}

export function showResults({ question, ranking, collection }) {
  // Stop words alone find themselves in most texts.
  const level = ({ relevance }) => (question.saysSomething ? levelOf(relevance) : "weak");
  const shown = ranking.slice(0, SHOWN).filter((hit, at) => at < SHOWN_WEAK || level(hit) !== "weak");
  const hues = huesOf(question.words);
  $("summary").textContent = sentence(question, shown.map(level), collection);
  $("words").replaceChildren(...question.words.map((word, at) => chip(word, at, hues[at])));
  $("results").replaceChildren(
    ...shown.map((hit) => {
      const { title, text } = collection.passages[hit.index];
      return card({
        title,
        text: highlight(text, collection.documents[hit.index], question, hues),
        level: level(hit),
        label: `${LABELS[level(hit)]}, ${percent(hit.relevance)}`,
        share: hit.relevance,
      });
    }),
  );
}

function sentence(question, levels, { passages, documents, name, isSample }) {
  if (!question.saysSomething) return "Nearly every text has these words. Add one that says what it is about.";
  if (!levels.some((level) => level !== "weak")) return "Nothing here seems to be about that. What comes nearest:";
  const { length } = documents;
  const all = `${length.toLocaleString("en")} ${length === 1 ? "passage" : "passages"}${isSample ? "" : ` of ${name}`}`;
  return `The best of ${length < passages.length ? "the first " : ""}${all}. Choose a word to see what it found.`;
}

// Rounded down, so that 29.9 is not a weak 30.
const percent = (relevance) => `${Math.floor(100 * Math.min(1, Math.max(0, relevance)))}%`;

function chip({ label, isStopWord }, word, hue) {
  const button = element("button", {
    type: "button",
    className: isStopWord ? "word stop" : "word",
    textContent: label,
    "aria-pressed": "false",
  });
  if (hue !== undefined) button.style.setProperty("--hue", hue);
  button.onclick = () => {
    const isPressed = button.getAttribute("aria-pressed") === "true";
    for (const other of $("words").querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(!isPressed));
    focusOn(pressed(), $("results"));
  };
  // A pointer that hovers shows the same for the moment.
  button.onpointerenter = ({ pointerType }) => pointerType === "mouse" && focusOn(word, $("results"));
  button.onpointerleave = ({ pointerType }) => pointerType === "mouse" && focusOn(pressed(), $("results"));
  return button;
}

function pressed() {
  const at = [...$("words").children].findIndex((button) => button.getAttribute("aria-pressed") === "true");
  return at === -1 ? null : at;
}
