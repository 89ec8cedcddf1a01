import { Encoder, matches, rank } from "multivec";
import { corpus } from "./corpus.js";
import { highlight, queryTokens } from "./highlight.js";

const SHOWN = 8;
const $ = (id) => document.getElementById(id);
const timings = new Map();
let documents;

async function timed(name, run) {
  const start = performance.now();
  const result = await run();
  timings.set(name, performance.now() - start);
  showTimings();
  return result;
}

function showTimings() {
  $("timings").replaceChildren(
    ...Array.from(timings, ([name, ms]) => {
      const item = document.createElement("li");
      item.append(
        `${name} `,
        Object.assign(document.createElement("b"), { textContent: `${ms < 100 ? ms.toFixed(1) : ms.toFixed(0)} ms` }),
      );
      return item;
    }),
  );
}

function progress(share, text) {
  $("fill").style.width = `${100 * share}%`;
  $("what").textContent = text;
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

const encoder = await timed("load the model", () =>
  Encoder.load(new URL("./model/", document.baseURI), {
    onProgress({ phase, file, loaded, total }) {
      if (file === "model") progress(loaded / total, `${phase}: ${megabytes(loaded)} of ${megabytes(total)} MB`);
    },
  }),
);
documents = await timed(`encode ${corpus.length} passages`, () =>
  encoder.encodeDocuments(
    corpus.map(({ text }) => text),
    { onProgress: ({ done, total }) => progress(done / total, `encoding: ${done} of ${total} passages`) },
  ),
);
$("loading").hidden = true;
$("query").disabled = false;
$("query").focus();

let pending;
async function search() {
  // A newer query ends the one that is under way.
  pending?.abort();
  pending = new AbortController();
  const { signal } = pending;
  const text = $("query").value.trim();
  if (text === "") return $("results").replaceChildren();
  try {
    const query = await timed("encode the query", () => encoder.encodeQuery(text, { signal }));
    const ranking = await timed("rank", () => rank(query, documents));
    show(text, query, ranking.slice(0, SHOWN));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function show(text, query, ranking) {
  const tokens = queryTokens(text, query);
  $("tokens").replaceChildren(
    ...tokens.map(({ hue, label, row }) => {
      const chip = Object.assign(document.createElement("span"), { className: "token", textContent: label });
      chip.style.setProperty("--hue", hue);
      chip.onmouseenter = () => focus(row);
      chip.onmouseleave = () => focus(null);
      return chip;
    }),
  );
  const best = ranking[0]?.score ?? 1;
  $("results").replaceChildren(...ranking.map(({ index, score }) => card(index, score, best, tokens, query)));
}

function card(index, score, best, tokens, query) {
  const { title, text } = corpus[index];
  const item = Object.assign(document.createElement("li"), { className: "result" });
  item.innerHTML = `<div><div class="score"></div><div class="meter"><div></div></div></div><div><div class="title"></div><div class="text"></div></div>`;
  item.querySelector(".score").textContent = score.toFixed(2);
  item.querySelector(".meter div").style.width = `${(100 * score) / best}%`;
  item.querySelector(".title").textContent = title;
  item.querySelector(".text").append(...highlight(text, documents[index], tokens, matches(query, documents[index])));
  return item;
}

// Shows what one word of the query found.
function focus(row) {
  $("results").toggleAttribute("data-focus", row !== null);
  for (const mark of document.querySelectorAll("mark"))
    mark.classList.toggle("on", mark.dataset.rows.split(" ").includes(String(row)));
}

$("query").oninput = search;
