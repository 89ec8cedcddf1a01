// What can be found, before anything is typed.

import { $, element } from "../support/dom.js";

/** Passages that are listed; those of a book would make the page slow. */
const LISTED = 200;

/** Says what a collection is about, and lists its passages. */
export function showAbout({ passages, documents, name, isSample, isComplete }) {
  const count = counted(passages.length, "passage");
  $("try").hidden = !isSample;
  $("name").textContent = `What is here: ${count}${isSample ? "" : ` of ${name}`}`;
  const notes = isSample ? [subjects(passages)] : ownNotes(passages, documents, isComplete);
  $("notes").replaceChildren(...notes.map((textContent) => element("p", { textContent })));
  const listed = passages.slice(0, LISTED).map(passageItem);
  if (passages.length > LISTED) listed.push(element("li", { textContent: `… and ${passages.length - LISTED} more` }));
  $("passages").replaceChildren(...listed);
}

function subjects(passages) {
  const all = [...new Set(passages.map(({ title }) => title.toLowerCase()))];
  return `Short texts about ${all.slice(0, -1).join(", ")} and ${all.at(-1)}.`;
}

function ownNotes(passages, documents, isComplete) {
  const notes = ["Encoded in this tab, and forgotten when it is closed."];
  if (documents.length < passages.length) notes.push("What is encoded so far can be searched already.");
  if (!isComplete) notes.push(`Only the first ${counted(passages.length, "passage")} are searched.`);
  const long = documents.filter(({ truncation }) => truncation?.truncated).length;
  if (long > 0) notes.push(`The ends of ${counted(long, "passage")} are more than the model can read.`);
  return notes;
}

function passageItem({ title, text }) {
  return element("li", {}, element("span", { className: "title", textContent: title }), ` ${text}`);
}

const counted = (count, what) => `${count.toLocaleString("en")} ${count === 1 ? what : `${what}s`}`;
