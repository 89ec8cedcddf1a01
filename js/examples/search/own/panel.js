// Where people paste a text, choose files or drop them.

import { $ } from "../../support/dom.js";
import { Status } from "../../support/status.js";
import { cut } from "./cut.js";
import { readFile, readText, UnreadableError } from "./read.js";

/** More would take minutes to encode, and hundreds of megabytes. */
const MOST_PASSAGES = 2000;
/** As soon as so many are encoded, they are searched. */
const FIRST_PASSAGES = 32;

const status = new Status($("reading"));
let pending;

/**
 * `encode(passages, { signal, onProgress })` gives a collection,
 * `use(collection)` searches it from then on, `back()` the samples;
 * `changed(collection)` says that all of it, or no more, is encoded.
 */
export function openPanel({ back, ...actions }) {
  const form = $("own").querySelector("form");
  const run = (name, read) => collect(name, read, actions);
  const runFiles = (files) => {
    const chosen = [...files];
    if (chosen.length > 0) run(nameOf(chosen), (options) => readFiles(chosen, options));
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const text = $("paste").value;
    if (text.trim() === "") return $("paste").focus();
    run("your text", () => readText(text, "Your text"));
  };
  $("choose").onclick = () => $("files").click();
  $("files").onchange = () => {
    runFiles($("files").files);
    // The same file may be chosen again.
    $("files").value = "";
  };
  $("back").onclick = () => {
    stop();
    back();
  };
  acceptDrops(runFiles);
}

const nameOf = (files) => (files.length === 1 ? files[0].name : `${files.length} files`);

function stop() {
  pending?.abort();
  status.clear();
}

async function collect(name, read, actions) {
  stop();
  pending = new AbortController();
  const { signal } = pending;
  const progress = (text, share) => signal.aborted || status.progress(text, { share, stop });
  let used;
  try {
    progress(`Reading ${name}`);
    $("reading").scrollIntoView({ block: "nearest" });
    const sections = await read({ signal, progress });
    const { passages, isComplete } = await cut(sections, { limit: MOST_PASSAGES, signal });
    if (passages.length === 0) throw new UnreadableError("There is no text in it.");
    const use = (collection) => {
      used = { ...collection, name, isComplete, isSample: false };
      actions.use(used);
    };
    const count = passages.length.toLocaleString("en");
    const onProgress = (collection) => {
      const { length } = collection.documents;
      progress(`Encoding ${name}: ${length.toLocaleString("en")} of ${count} passages`, length / passages.length);
      if (used === undefined && length >= FIRST_PASSAGES && !signal.aborted) use(collection);
    };
    const collection = await actions.encode(passages, { signal, onProgress });
    if (signal.aborted) return;
    status.clear();
    if (used === undefined) use(collection);
    else actions.changed(used);
  } catch (error) {
    if (used !== undefined) {
      // What is encoded stays.
      used.passages = used.passages.slice(0, used.documents.length);
      used.isComplete = false;
      actions.changed(used);
    }
    if (signal.aborted) return;
    const retry = error instanceof UnreadableError ? undefined : () => collect(name, read, actions);
    status.fail(`Cannot search ${used === undefined ? "" : "all of "}${name}.`, error, { retry, dismiss: () => {} });
  }
}

async function readFiles(files, { signal, progress }) {
  const sections = [];
  for (const file of files) {
    signal.throwIfAborted();
    const onProgress = (page, pages) => progress(`Reading ${file.name}: page ${page} of ${pages}`, page / pages);
    sections.push(...(await readFile(file, { signal, onProgress })));
  }
  return sections;
}

function acceptDrops(runFiles) {
  const hasFiles = ({ dataTransfer }) => dataTransfer.types.includes("Files");
  document.ondragover = (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  };
  document.ondragleave = ({ relatedTarget }) => {
    if (relatedTarget === null) document.body.classList.remove("dropping");
  };
  document.ondrop = (event) => {
    document.body.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    runFiles(event.dataTransfer.files);
  };
}
