import { corpus } from "../search/corpus.js";
import { HybridSearch } from "./search.js";

const $ = (id) => document.getElementById(id);

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

const shares = { dense: 0, multiVector: 0, reranker: 0 };
const texts = corpus.map(({ text }) => text);
const search = await HybridSearch.load(sources, texts, (name, share) => {
  shares[name] = share;
  const mean = Object.values(shares).reduce((sum, one) => sum + one) / 3;
  $("fill").style.width = `${100 * mean}%`;
  $("what").textContent = mean < 1 ? `loading: ${(100 * mean).toFixed()} %` : `encoding ${texts.length} passages`;
});
$("loading").hidden = true;
$("query").disabled = false;
$("query").focus();

let pending;
$("query").oninput = async () => {
  // A newer query ends the one that is under way.
  pending?.abort();
  pending = new AbortController();
  const { signal } = pending;
  const text = $("query").value.trim();
  if (text === "") return $("results").replaceChildren();
  try {
    const found = await search.find(text, { signal });
    if (!signal.aborted) $("results").replaceChildren(...found.map(card));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
};

function card({ index, score, ranks }) {
  const { title, text } = corpus[index];
  const item = Object.assign(document.createElement("li"), { className: "result" });
  item.dataset.index = index;
  item.innerHTML = `<div><div class="score"></div></div><div><div class="title"></div><div class="text"></div><div class="ranks"></div></div>`;
  item.querySelector(".score").textContent = score.toFixed(3);
  item.querySelector(".title").textContent = title;
  item.querySelector(".text").textContent = text;
  item.querySelector(".ranks").textContent =
    `dense ${ranks.dense}, multi-vector ${ranks.multiVector}, fused ${ranks.fused}`;
  return item;
}
