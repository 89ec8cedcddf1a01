import { corpus, questions } from "../search/corpus.js";
import { card } from "../support/card.js";
import { $, element } from "../support/dom.js";
import { loadProgress } from "../support/load-progress.js";
import { showQuestions } from "../support/questions.js";
import { SearchBox } from "../support/search-box.js";
import { Status } from "../support/status.js";
import { HybridSearch } from "./search.js";

// `?dense=…&reranker=…` tries other models: ids on a hub, or addresses.
const given = new URLSearchParams(location.search);
const source = (name, usual) => {
  const found = given.get(name);
  return found === null ? usual : found.startsWith(".") ? new URL(found, document.baseURI) : found;
};
const sources = {
  dense: source("dense", "sentence-transformers/all-MiniLM-L6-v2"),
  multiVector: source("multiVector", new URL("./model/", document.baseURI)),
  reranker: source("reranker", "cross-encoder/ms-marco-MiniLM-L6-v2"),
};

const status = new Status($("loading"));
const texts = corpus.map(({ text }) => text);
let search;

const box = new SearchBox($("search"), {
  search: (text, signal) => search.find(text, { signal }),
  show(found) {
    status.clear();
    $("questions").hidden = true;
    $("summary").textContent = "Percentages are what the cross-encoder thinks of each.";
    $("results").replaceChildren(...found.map(hit));
  },
  empty() {
    $("summary").textContent = `${corpus.length} short passages on many subjects. For example:`;
    $("questions").hidden = false;
    $("results").replaceChildren();
  },
  fail: (error) => status.fail("The search failed.", error, { retry: start }),
});

async function start() {
  box.disable();
  search?.dispose();
  status.clear();
  status.progress("Loading the models");
  try {
    const onProgress = loadProgress((text, share) => status.progress(text, { share }), Object.keys(sources).length);
    search = await HybridSearch.load(sources, texts, {
      onProgress,
      onLoaded: () => status.progress(`Encoding ${texts.length} passages`),
    });
  } catch (error) {
    return status.fail("The models cannot be loaded.", error, { retry: start });
  }
  status.clear();
  await box.enable();
}

function hit({ index, logit, ranks }) {
  // Some models leave their logits as scores.
  const share = 1 / (1 + Math.exp(-logit));
  const level = share >= 0.5 ? "strong" : share >= 0.1 ? "fair" : "weak";
  const places = `dense ${ranks.dense}, multi-vector ${ranks.multiVector}, fused ${ranks.fused}`;
  const item = card(
    { ...corpus[index], level, label: `${(100 * share).toFixed(1)}%`, share },
    element("p", { className: "ranks", textContent: places }),
  );
  item.dataset.index = index;
  return item;
}

showQuestions($("questions"), questions, (question) => box.set(question));
start();
