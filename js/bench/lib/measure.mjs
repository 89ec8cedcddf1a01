// The measurements of one model: the engines run in turns, then each starts anew.

import { setTimeout as pause } from "node:timers/promises";
import { openPage } from "./browser.mjs";
import { titleOf } from "./engines.mjs";
import { percentile, summary } from "./statistics.mjs";

// The first dozen runs of any engine are slow, until the browser's optimizing
// compiler has caught up.
const WARM_UP = 15;
// Texts of a batch are many; what is slow about them was compiled before.
const WARM_UP_BATCHES = 1;
// Threads of an engine spin for a while after a run, in another's way.
const PAUSE = 10;
// Milliseconds of a turn, so that short runs are not alone with their noise.
const TURN = 60;

/** Loads every engine into a page; those that cannot are in `skipped`. */
export async function loadEngines(page, model, engines) {
  const loaded = [];
  const skipped = [];
  for (const engine of engines) {
    const name = titleOf(engine);
    await page.open(name);
    try {
      await page.call(name, "load", { ...engine, model });
      loaded.push({ ...engine, name, cases: [] });
    } catch (error) {
      // Threads and builds that are not there are no failure of the others.
      if (!["invalid_option", "unsupported"].includes(error.code)) throw error;
      skipped.push(error.message);
      await page.close(name);
    }
  }
  return { loaded, skipped };
}

/** One length and batch, all engines in turns; the result goes to each engine's `cases`. */
export async function measureCase(page, engines, texts, rounds) {
  const tokens = texts[0].ids.length;
  const id = `${texts.length} × ${tokens}`;
  const times = new Map(engines.map(({ name }) => [name, []]));
  const first = new Map();
  const warmUp = texts.length === 1 ? WARM_UP : WARM_UP_BATCHES;
  for (const { name } of engines) {
    await page.call(name, "prepare", { name: id, texts });
    const [one] = await page.call(name, "run", { name: id, least: warmUp, span: 0 });
    first.set(name, one);
  }
  for (let round = 0; round < rounds; round += 1) {
    // Another one first in each round.
    for (const at of engines.keys()) {
      const { name } = engines[(at + round) % engines.length];
      await pause(PAUSE);
      times.get(name).push(...(await page.call(name, "run", { name: id, least: 1, span: TURN })));
    }
  }
  for (const engine of engines) {
    const tokenize = await page.call(engine.name, "tokenize", { name: id, least: WARM_UP });
    engine.cases.push({
      tokens,
      texts: texts.length,
      first: first.get(engine.name),
      times: summary(times.get(engine.name)),
      tokenize: tokenize.length > 0 ? percentile(tokenize, 0.5) : null,
    });
    const { median, low, high } = engine.cases.at(-1).times;
    console.log(`${id}, ${engine.name}: ${median.toFixed(1)} ms (${low.toFixed(1)} to ${high.toFixed(1)})`);
  }
}

/** Bytes of each engine's WebAssembly memory, as it is now. */
export async function measureMemory(page, engines) {
  for (const engine of engines) engine.memory = await page.call(engine.name, "memory");
}

/** From a new worker to the first embedding, each time in a page of its own. */
export async function measureColdStart(browser, origin, { model, engines, text, rounds }) {
  const times = new Map(engines.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const at of engines.keys()) {
      const { name, ...engine } = engines[(at + round) % engines.length];
      const page = await openPage(browser, origin);
      try {
        await page.open(name);
        const { milliseconds } = await page.call(name, "load", { ...engine, cases: undefined, model });
        await page.call(name, "prepare", { name: "first", texts: [text] });
        const [first] = await page.call(name, "run", { name: "first", least: 1, span: 0 });
        times.get(name).push(milliseconds + first);
      } finally {
        await page.end();
      }
    }
  }
  for (const engine of engines) {
    engine.cold = summary(times.get(engine.name));
    console.log(`cold start, ${engine.name}: ${engine.cold.median.toFixed(0)} ms`);
  }
}
