// Where people paste a text, choose files or drop them.

import { $ } from "../../support/dom.js";
import { Status } from "../../support/status.js";
import { cut } from "./cut.js";
import { readFile, readText, UnreadableError } from "./read.js";

/** More would take minutes to encode, and hundreds of megabytes. */
const MOST_PASSAGES = 2000;

const status = new Status($("reading"));
let pending;

/**
 * `encode(passages, { signal, onProgress })` gives a collection,
 * `use(collection)` searches it from then on, `back()` the samples.
 */
export function openPanel({ encode, use, back }) {
  const form = $("own").querySelector("form");
  const run = (name, read) => collect(name, read, { encode, use });
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
    cancel();
    back();
  };
  acceptDrops(runFiles);
}

const nameOf = (files) => (files.length === 1 ? files[0].name : `${files.length} files`);

function cancel() {
  pending?.abort();
  status.clear();
}

async function collect(name, read, { encode, use }) {
  cancel();
  pending = new AbortController();
  const { signal } = pending;
  const progress = (text, share) => signal.aborted || status.progress(text, { share, cancel });
  try {
    progress(`Reading ${name}`);
    $("reading").scrollIntoView({ block: "nearest" });
    const sections = await read({ signal, progress });
    const { passages, isComplete } = await cut(sections, { limit: MOST_PASSAGES, signal });
    if (passages.length === 0) throw new UnreadableError("There is no text in it.");
    const count = passages.length.toLocaleString("en");
    const onProgress = (done) => progress(`Encoding ${name}: ${done} of ${count} passages`, done / passages.length);
    onProgress(0);
    const collection = await encode(passages, { signal, onProgress });
    if (signal.aborted) return;
    status.clear();
    use({ ...collection, name, isComplete });
  } catch (error) {
    if (signal.aborted) return;
    const retry = error instanceof UnreadableError ? undefined : () => collect(name, read, { encode, use });
    status.fail(`Cannot search ${name}.`, error, { retry, dismiss: () => {} });
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
