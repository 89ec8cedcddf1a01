// Scores of one thread, in turns: a plain loop, and what the package has.

import { plain } from "./loop.js";

/** Documents, their rows, the query's rows, and columns. */
export const SHAPES = [
  { documents: 1000, rows: 300 },
  { documents: 1000, rows: 60 },
  { documents: 100, rows: 300 },
];
const QUERY_ROWS = 32;
const COLUMNS = 128;
export const PRECISIONS = ["f32", "f16", "int8", "bits"];

/**
 * Milliseconds of a search on the calling thread, the least of `rounds`, by
 * shape and by what computes: the loop, `direct`, which is `maxSimMany` of the
 * package, and searches of corpora. `wasm` is the build; each line goes to `log`.
 */
export async function measure({ Corpus, maxSimMany }, { wasm, rounds, log }) {
  const options = { wasm, worker: false };
  for (const shape of SHAPES) {
    const documents = Array.from({ length: shape.documents }, (_, at) => matrix(shape.rows, at + 2));
    const query = matrix(QUERY_ROWS, 1);
    const ways = {
      loop: () => plain(query, documents),
      direct: () => maxSimMany(query, documents),
    };
    const corpora = [];
    for (const precision of PRECISIONS) {
      const corpus = await Corpus.from(documents, { ...options, precision });
      corpora.push(corpus);
      ways[precision] = () => corpus.search(query, 10);
    }
    const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
    for (let round = 0; round <= rounds; round += 1) {
      for (const [name, run] of Object.entries(ways)) {
        // The loop takes a hundred times as long.
        if (name === "loop" && round > Math.ceil(rounds / 5)) continue;
        const start = performance.now();
        await run();
        // The first round only warms up.
        if (round > 0) times[name].push(performance.now() - start);
      }
    }
    for (const corpus of corpora) corpus.dispose();
    const least = Object.fromEntries(
      Object.entries(times).map(([name, all]) => [name, Number(Math.min(...all).toFixed(1))]),
    );
    log(JSON.stringify({ wasm, shape: `${shape.documents} x ${shape.rows}`, ...least }));
  }
}

/** Rows of norm 1, the same for a seed. */
function matrix(tokens, seed) {
  let state = seed * 7919;
  const data = new Float32Array(tokens * COLUMNS);
  for (let row = 0; row < tokens; row += 1) {
    const values = data.subarray(row * COLUMNS, (row + 1) * COLUMNS);
    let norm = 0;
    for (let at = 0; at < COLUMNS; at += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      values[at] = state / 2 ** 32 - 0.5;
      norm += values[at] ** 2;
    }
    norm = Math.sqrt(norm);
    for (let at = 0; at < COLUMNS; at += 1) values[at] /= norm;
  }
  return { data, tokens, dim: COLUMNS };
}
