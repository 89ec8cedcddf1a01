// The functions that the tests of corpora call in the page.

import { Corpus, Encoder, rank } from "/multivec/dist/index.js";
import { randomMatrix, randoms } from "/support/vectors.mjs";

let encoder;

const made = (count, rows) => {
  const random = randoms(5);
  // Few differ, because making them takes long.
  const some = Array.from({ length: 50 }, () => randomMatrix(random, rows, 128));
  return Array.from({ length: count }, (_, at) => some[at % some.length]);
};
const query = () => randomMatrix(randoms(9), 32, 128);

/** What happens in the page while a call runs: `tasks` of its own, and the longest time between two. */
async function during(call) {
  let [last, longest, tasks] = [performance.now(), 0, 0];
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    tasks += 1;
  }, 1);
  const start = last;
  const result = await call();
  clearInterval(timer);
  return { result, tasks, longest, total: performance.now() - start };
}

globalThis.api = {
  async load(source) {
    encoder = await Encoder.load(source);
  },
  /** Searches where there is no encoder, and the same without a corpus, by the encoder. */
  async search(count, rows, precision) {
    const documents = made(count, rows);
    const making = await during(() => Corpus.from(documents, { precision }));
    const corpus = making.result;
    const searching = await during(() => corpus.search(query(), 10));
    const ranking = await during(() => encoder.rank(query(), documents));
    const found = searching.result.map(({ index, score }) => ({ index, score }));
    corpus.dispose();
    return {
      found,
      ranked: ranking.result.slice(0, 10),
      expected: rank(query(), documents.slice(0, 50)),
      pauses: [making, searching, ranking].map(({ tasks, longest, total }) => ({ tasks, longest, total })),
    };
  },
  /** Aborts a search of much in a task of the page, and searches again. */
  async abort(shared) {
    const corpus = await Corpus.from(made(1000, 60), shared ? { encoder, dim: 128 } : {});
    const events = [];
    const abort = new AbortController();
    const ended = corpus.searchMany(Array(16).fill(query()), 5, { signal: abort.signal }).then(
      () => events.push("found"),
      (error) => events.push(error.name),
    );
    setTimeout(() => {
      events.push("abort");
      abort.abort();
    });
    await ended;
    const found = await corpus.search(query(), 5, { among: [3, 1, 2] });
    events.push(found.length);
    corpus.dispose();
    const after = await corpus.search(query(), 1).catch(({ code }) => code);
    return [...events, after];
  },
  async save(name) {
    const documents = made(50, 20);
    const corpus = await Corpus.from(documents, { encoder, dim: 128, ids: documents.map((_, at) => `id ${at}`) });
    await corpus.save(name);
    const found = await corpus.search(query(), 5);
    corpus.dispose();
    return found;
  },
  async open(name) {
    const corpus = await Corpus.open(name, { encoder });
    const found = await corpus.search(query(), 5);
    corpus.dispose();
    await Corpus.delete(name);
    const gone = await Corpus.open(name, { encoder }).catch(({ code }) => code);
    return { found, gone };
  },
};
globalThis.ready = true;
