// The package in shared workers and service workers, as it is, without a bundler.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { compare } from "../support/compare.mjs";
import { fixtures, reference } from "../support/fixtures.mjs";
import { startServer } from "../support/server.mjs";
import { CSP } from "./support/browser.mjs";
import { launchChosen, openPage } from "./support/drivers/driver.mjs";
import { makeProject } from "./support/packed.mjs";

const ends = [];
let page;
let models;

before(async () => {
  const project = makeProject();
  ends.push(() => project.remove());
  const folder = join(project.folder, "scopes");
  mkdirSync(folder);
  cpSync(new URL("./app/scopes/", import.meta.url), folder, { recursive: true });
  cpSync(join(project.folder, "node_modules/multivec"), join(folder, "multivec"), { recursive: true });
  const html = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>';
  writeFileSync(join(folder, "index.html"), html);
  const app = await startServer({ "/": folder }, { headers: { "content-security-policy": CSP } });
  ends.push(() => app.close());
  models = await startServer({ "/": fixtures }, { cors: true });
  ends.push(() => models.close());
  const browser = await launchChosen();
  ends.push(() => browser.close());
  page = await openPage(browser, app.origin);
});
after(async () => {
  for (const end of ends.reverse()) await end();
});

const { queries, tensors } = reference("tiny-bert");

for (const [kind, limit] of [
  ["shared", /shared worker/],
  ["service", /service worker/],
]) {
  test(`a ${kind} worker`, async (context) => {
    const request = { source: `${models.origin}/tiny-bert`, text: queries[0].text };
    const found = await page.call(kind, { ...request, options: { worker: false } });
    const { data, shape } = tensors["queries.0"];
    assert.equal(found.code, undefined, JSON.stringify(found));
    assert.ok(compare(Float32Array.from(found.data), data, shape[1]).difference <= 1e-4);
    assert.equal(found.threads, 1);
    assert.match(found.threadsLimit, limit);
    // The default is what the scope can do.
    const other = await page.call(kind, request);
    assert.deepEqual(other.data, found.data, JSON.stringify(other));
    const refused = await page.call(kind, { ...request, options: { threads: 2 } });
    assert.equal(refused.code, "unsupported");
    assert.match(refused.message, limit);
    context.diagnostic(found.threadsLimit);
  });
}
