// Corpora and rankings in workers: the page goes on, calls end by signals, and what was saved opens offline.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fixtures } from "../support/fixtures.mjs";
import { startServer } from "../support/server.mjs";
import { CSP } from "./support/browser.mjs";
import { launchChosen, openPage } from "./support/drivers/driver.mjs";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
let server;
let browser;
let page;

before(async () => {
  server = await startServer(
    { "/multivec/": at("../../"), "/support/": at("../support/"), "/models/": fixtures, "/": at("./corpus/") },
    { headers: { "content-security-policy": CSP } },
  );
  browser = await launchChosen();
  page = await openPage(browser, `${server.origin}/index.html`);
  // Vectors of 128 columns need none of its own.
  await page.call("load", `${server.origin}/models/tiny-bert`);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("a search in a worker leaves the page its thread", async (context) => {
  const { found, ranked, expected, pauses } = await page.call("search", 1000, 60, "f32");
  // All documents are one of 50: of equal scores, the first of each kind come in order.
  const best = expected[0];
  assert.deepEqual(
    found.map(({ index }) => index),
    Array.from({ length: 10 }, (_, nth) => best.index + 50 * nth),
  );
  for (const { score } of found) assert.ok(Math.abs(score - best.score) < 1e-4, `${score}, not ${best.score}`);
  assert.deepEqual(ranked, found);
  for (const [nth, name] of ["making", "searching", "ranking"].entries()) {
    const { tasks, longest, total } = pauses[nth];
    context.diagnostic(`${name}: ${total.toFixed(1)} ms, longest pause ${longest.toFixed(1)} ms`);
    assert.ok(tasks > 1, `${tasks} tasks ran while ${name}`);
  }
});

test("a signal ends a search", async () => {
  for (const shared of [false, true]) {
    assert.deepEqual(await page.call("abort", shared), ["abort", "AbortError", 3, "disposed"]);
  }
});

test("a corpus opens while nothing can be reached", async () => {
  const saved = await page.call("save", "notes");
  await server.close();
  const { found, gone } = await page.call("open", "notes");
  assert.deepEqual(found, saved);
  assert.match(found[0].id, /^id \d+$/);
  assert.equal(gone, "missing_file");
});

test("nothing broke the content security policy", async () => {
  assert.deepEqual(await page.problems(), []);
});
