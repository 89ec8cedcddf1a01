// Several threads, in pages that are cross-origin isolated, and one thread in
// pages that are not, and in browsers that lack what threads need.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { maxSim } from "../../dist/index.js";
import { demoModel, fixtures, reference } from "../support/fixtures.mjs";
import { checkPooling, checkScores, checkTokens, checkVectors, INT8_BOUNDS } from "../support/parity.mjs";
import { startServer } from "../support/server.mjs";
import { CSP, ISOLATION } from "./support/browser.mjs";
import { buildProject } from "./support/built.mjs";
import { isThorough, launchChosen, openPage } from "./support/drivers/driver.mjs";

const headers = { "content-security-policy": CSP };
let project;
let isolated;
let plain;
let models;
let browser;
let page;
let can;

before(async () => {
  project = await buildProject();
  const mounts = { "/": project.dist };
  isolated = await startServer(mounts, { headers: { ...headers, ...ISOLATION } });
  plain = await startServer(mounts, { headers });
  models = await startServer({ "/demo/": demoModel, "/": fixtures }, { cors: true });
  browser = await launchChosen();
  page = await openPage(browser, isolated.origin);
  const { relaxed, shared, isolated: isIsolated } = await page.call("platform");
  assert.equal(isIsolated, true);
  can = relaxed && shared;
});
after(async () => {
  await browser?.close();
  await Promise.all([isolated, plain, models].map((server) => server?.close()));
  project?.remove();
});

const call = (...args) => page.call(...args);
const load = (name, options) => call("load", `${models.origin}/${name}`, options);
const driver = {
  encode: async (kind, texts, options) =>
    (await call("encode", kind, texts, options)).map(({ data, dim }) => {
      const { buffer } = Uint8Array.from(Buffer.from(data, "base64"));
      return { data: new Float32Array(buffer), dim, tokens: buffer.byteLength / 4 / dim };
    }),
  tokenize: (kind, texts) => call("tokenize", kind, texts),
  maxSim,
};

/** A test of what only browsers with threads can do. */
const threaded = (name, run) =>
  test(name, (context) => (can ? run(context) : context.skip("this browser lacks what threads need")));

/** Waits for this number of workers: they end a moment after `terminate`. */
async function checkWorkers(count, page_ = page) {
  for (let tries = 0; (await page_.workers()) !== count && tries < 100; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(await page_.workers(), count);
}

test("by default there are as many as cores, up to 4", async () => {
  const { cores } = await call("platform");
  const { info } = await load("tiny-bert");
  assert.equal(info.threads, can ? Math.min(cores, 4) : 1);
  if (can) assert.equal(info.threadsLimit, cores > 1 ? null : "there is one core");
  else assert.match(info.threadsLimit, /relaxed SIMD|SharedArrayBuffer/);
  await checkWorkers(info.threads);
});

describe("on two threads", () => {
  for (const name of ["tiny-bert", "tiny-modernbert"]) {
    threaded(`${name}, FP32`, async (context) => {
      const { info } = await load(name, { threads: 2, precision: "fp32" });
      assert.deepEqual([info.threads, info.threadsLimit, info.provider], [2, null, "wasm-relaxed-simd"]);
      await checkTokens(driver, name);
      const found = await checkVectors(driver, name, { difference: 1e-4, lowest: 0.99999 });
      await checkPooling(driver, name, 1e-3);
      await checkScores(driver, name, 1e-3);
      context.diagnostic(JSON.stringify(found));
    });
  }

  threaded("the demo model, INT8", async (context) => {
    const { info } = await load("demo", { threads: 2 });
    assert.deepEqual([info.threads, info.precision], [2, "int8"]);
    await checkTokens(driver, "minilm-colbert");
    const found = await checkVectors(driver, "minilm-colbert", INT8_BOUNDS[info.provider]);
    context.diagnostic(`INT8 against FP32: ${JSON.stringify(found)}`);
  });

  threaded("concurrent batches report progress and can be aborted", async () => {
    await load("demo", { threads: 2 });
    const { outcome, done, tokens } = await call("abort", 40, 3);
    assert.deepEqual([outcome.name, outcome.failed], ["AbortError", true]);
    assert.ok(done >= 3 && done < 40, `${done} were done`);
    assert.equal(tokens, 32);
  });
});

threaded("vectors are the same on any number of threads", async () => {
  const { documents, queries } = reference("minilm-colbert");
  const texts = documents.map(({ text }) => text);
  const all = async (options) => {
    const { info } = await load("demo", options);
    const single = await call("encode", "query", [queries[0].text]);
    const long = await call("encode", "document", [texts.join(" ")], { documentLength: 300 });
    const many = await call("encode", "document", [...texts, ...texts, ...texts], { batchSize: 3 });
    return { threads: info.threads, vectors: [single, long, many] };
  };
  const one = await all({ wasm: "relaxed" });
  assert.equal(one.threads, 1);
  for (const threads of isThorough ? [1, 2, 3] : [2]) {
    const found = await all({ wasm: "threads", threads });
    assert.equal(found.threads, threads);
    assert.deepEqual(found.vectors, one.vectors, `${threads} threads`);
  }
});

threaded("no worker is left behind", async () => {
  await load("tiny-bert", { threads: 3 });
  await checkWorkers(3);
  // Loading another one disposes the first.
  assert.equal((await load("tiny-bert", { threads: 2, precision: "int4" })).code, "invalid_option");
  await checkWorkers(0);
  assert.equal((await load("missing", { threads: 3 })).code, "missing_file");
  await checkWorkers(0);
  await load("demo", { threads: 3 });
  const ended = await call("disposeWhileEncoding");
  assert.deepEqual([ended.code, ended.own], ["disposed", true]);
  await checkWorkers(0);
});

threaded("a thread that cannot start fails the load", async () => {
  const script = readdirSync(join(project.dist, "assets")).find((name) => /worker.*\.js$/.test(name));
  isolated.behaviour.set(`/assets/${script}`, { after: 1, status: 404 });
  const page = await openPage(browser, isolated.origin);
  const found = await page.call("load", `${models.origin}/tiny-bert`, { threads: 2 });
  isolated.behaviour.clear();
  assert.deepEqual([found.code, found.own], ["worker", true]);
  await checkWorkers(0, page);
  await page.close();
});

test("impossible options are refused", async () => {
  for (const [options, code, message] of [
    [{ threads: 0 }, "invalid_option", /from 1 to 64, found 0/],
    [{ threads: 65 }, "invalid_option", /found 65/],
    [{ threads: 1.5 }, "invalid_option", /found 1.5/],
    [{ threads: "2" }, "invalid_option", /found "2"/],
    [{ threads: 2, wasm: "base" }, "invalid_option", /expected 1 with the build `base`, found 2/],
    [{ threads: 2, worker: false }, "unsupported", /option `threads`.*(must not wait|SharedArrayBuffer)/],
    [{ wasm: "threads", worker: false }, "unsupported", /option `wasm`.*(must not wait|SharedArrayBuffer)/],
  ]) {
    const found = await load("tiny-bert", options);
    assert.deepEqual([found.code, found.own], [code, true], JSON.stringify(options));
    assert.match(found.message, message);
  }
  await checkWorkers(0);
});

test("in the page's own thread there is one", async () => {
  const { info } = await load("tiny-bert", { worker: false });
  assert.equal(info.threads, 1);
  assert.match(info.threadsLimit, /must not wait|SharedArrayBuffer/);
  const asked = await load("tiny-bert", { threads: 1 });
  assert.deepEqual([asked.info.threads, asked.info.threadsLimit], [1, null]);
});

test("a page that is not isolated has one, and says so", async () => {
  const page = await openPage(browser, plain.origin);
  const { relaxed } = await page.call("platform");
  const { info } = await page.call("load", `${models.origin}/tiny-bert`);
  assert.deepEqual([info.threads, info.provider], [1, relaxed ? "wasm-relaxed-simd" : "wasm-simd128"]);
  assert.match(info.threadsLimit, /not cross-origin isolated.*Cross-Origin-Embedder-Policy: require-corp/);
  const refused = await page.call("load", `${models.origin}/tiny-bert`, { threads: 2 });
  assert.deepEqual([refused.code, refused.own], ["unsupported", true]);
  assert.match(refused.message, /Cross-Origin-Opener-Policy: same-origin/);
  await page.close();
});

threaded("in a worker of the page's own, without a bundler", async (t) => {
  const folder = join(project.folder, "own");
  mkdirSync(folder);
  cpSync(join(project.folder, "node_modules/multivec"), join(folder, "multivec"), { recursive: true });
  writeFileSync(
    join(folder, "index.html"),
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>',
  );
  writeFileSync(join(folder, "watch.js"), readFileSync(new URL("./app/watch.js", import.meta.url)));
  writeFileSync(join(folder, "main.js"), readFileSync(new URL("./app/own/main.js", import.meta.url)));
  writeFileSync(join(folder, "worker.js"), readFileSync(new URL("./app/own/worker.js", import.meta.url)));
  const app = await startServer({ "/": folder }, { headers: { ...headers, ...ISOLATION } });
  try {
    const page = await openPage(browser, app.origin);
    // A driver listens to Firefox's workers. One that starts another then waits for the browser's main thread, which
    // wakes one thread of two: in one start of a hundred the wrong one, and it waits for good.
    const retries = browser.name === "Firefox" ? 2 : 0;
    const run = (options) => page.run("(...all) => globalThis.run(...all)", `${models.origin}/demo`, options, retries);
    const one = await run({ worker: false, wasm: "relaxed" });
    const two = await run({ worker: false, threads: 2 });
    assert.deepEqual([one.threads, two.threads], [1, 2]);
    assert.deepEqual(two.vectors, one.vectors);
    // As on one thread, after a text of 300 tokens, and the stack of the second thread.
    const { length } = readFileSync(join(demoModel, "model_int8.onnx"));
    t.diagnostic(`memory: ${(two.memory / length).toFixed(2)} times the file`);
    assert.ok(two.memory > length && two.memory <= 1.6 * length + 2 ** 20, `${two.memory} bytes`);
    assert.equal((await run({ worker: false, threads: 2, precision: "int4" })).code, "invalid_option");
    // Each encoder was disposed; the page's own worker is left.
    await checkWorkers(1, page);
    assert.deepEqual(await page.problems(), []);
    await page.close();
  } finally {
    await app.close();
  }
});

test("nothing broke the content security policy", async () => {
  assert.deepEqual(
    (await page.problems()).filter((text) => /Content Security Policy/i.test(text)),
    [],
  );
});
