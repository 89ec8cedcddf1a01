// Wires the page together: the model, what is searched, and the search.

import { Encoder } from "multivec";
import { $ } from "../support/dom.js";
import { loadProgress } from "../support/load-progress.js";
import { showQuestions } from "../support/questions.js";
import { SearchBox } from "../support/search-box.js";
import { Status } from "../support/status.js";
import { showAbout } from "./about.js";
import { encodeCollection, moveCollection } from "./collection.js";
import { corpus, questions } from "./corpus.js";
import { openPanel } from "./own/panel.js";
import { Question } from "./question.js";
import { clearResults, showResults } from "./results.js";
import { Timings } from "./timings.js";

const status = new Status($("loading"));
const timings = new Timings($("timings"));
let encoder;
/** The sample passages: searched at first, and the background of all scores. */
let samples;
/** What is searched. */
let collection;

let setReady;
const ready = new Promise((resolve) => {
  setReady = resolve;
});

const box = new SearchBox($("search"), {
  async search(text, signal) {
    const background = samples.documents;
    const question = await timings.of("Question", () => Question.ask(encoder, text, { background, signal }));
    const searched = collection;
    const ranking = await timings.of("Ranking", () => question.rank(searched.corpus, signal));
    return { question, ranking, collection: searched };
  },
  show(found) {
    status.clear();
    $("about").hidden = true;
    showResults(found);
  },
  empty() {
    clearResults();
    $("about").hidden = false;
  },
  fail: (error) => status.fail("The search failed.", error, { retry: start }),
});

let starting;

/** Loads the model and encodes the samples, also in place of a model that failed. */
function start() {
  starting ??= load().finally(() => {
    starting = undefined;
  });
  return starting;
}

async function load() {
  box.disable();
  status.clear();
  encoder?.dispose();
  try {
    encoder = await timings.of("Model", loadEncoder);
    const onProgress = ({ documents: { length } }) =>
      status.progress(`Encoding ${length} of ${corpus.length} passages`, { share: length / corpus.length });
    samples = await timings.of(`${corpus.length} passages`, () => encodeCollection(encoder, corpus, { onProgress }));
    // After a failure, a text of one's own is still there.
    if (collection?.isSample === false) await moveCollection(collection, encoder);
  } catch (error) {
    return status.fail("The model cannot be loaded.", error, { retry: start });
  }
  timings.engine(encoder.info);
  status.clear();
  setReady();
  search(collection?.isSample === false ? collection : { ...samples, isSample: true });
}

function loadEncoder() {
  const progress = loadProgress((text, share) => status.progress(text, { share }));
  status.progress("Loading the model");
  return Encoder.load(new URL("./model/", document.baseURI), {
    onProgress: progress("model"),
    // The demo model was never trained to use the rows that fill queries up.
    queryExpansion: "off",
    queryLength: 256,
  });
}

/** Searches these passages from now on. */
function search(passages) {
  if (collection?.isSample === false && collection !== passages) collection.corpus.dispose();
  collection = passages;
  showAbout(collection);
  $("back").hidden = collection.isSample;
  return box.enable();
}

/** Searches others; a question about the former ones would seldom fit. */
function turnTo(passages) {
  box.set("");
  scrollTo({ top: 0 });
  return search(passages);
}

async function encodeOwn(passages, options) {
  await ready;
  try {
    return await timings.of("Your text", () => encodeCollection(encoder, passages, options));
  } catch (error) {
    // A worker that has ended is replaced, so that there is one to try again with.
    if (!options.signal.aborted && ["worker", "panicked", "disposed"].includes(error.code)) await start();
    throw error;
  }
}

showAbout({ passages: corpus, documents: [], isSample: true });
showQuestions($("questions"), questions, (question) => box.set(question));
openPanel({
  encode: encodeOwn,
  use: turnTo,
  changed(own) {
    if (own !== collection) return;
    showAbout(collection);
    // Not while someone looks at what a word found.
    if (!$("words").contains(document.activeElement)) box.run();
  },
  back: () => turnTo({ ...samples, isSample: true }),
});
start();
