// Several threads, in pages that are cross-origin isolated, and one thread in
// pages that are not.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { maxSim } from "../../dist/index.js";
import { demoModel, fixtures, reference } from "../support/fixtures.mjs";
import { checkPooling, checkScores, checkTokens, checkVectors, INT8_BOUNDS } from "../support/parity.mjs";
import { startServer } from "../support/server.mjs";
import { CSP, ISOLATION, launch, openPage } from "./support/browser.mjs";
import { buildProject } from "./support/built.mjs";

const headers = { "content-security-policy": CSP };
let project;
let isolated;
let plain;
let models;
let browser;
let page;
let problems;

before(async () => {
  project = await buildProject();
  const mounts = { "/": project.dist };
  isolated = await startServer(mounts, { headers: { ...headers, ...ISOLATION } });
  plain = await startServer(mounts, { headers });
  models = await startServer({ "/demo/": demoModel, "/": fixtures }, { cors: true });
  browser = await launch();
  ({ page, problems } = await openPage(browser, isolated.origin));
});
after(async () => {
  await browser?.close();
  await Promise.all([isolated, plain, models].map((server) => server?.close()));
  project?.remove();
});

const callIn = (page, name, ...args) => page.evaluate(([name, args]) => globalThis.api[name](...args), [name, args]);
const call = (...args) => callIn(page, ...args);
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

/** Waits for this number of workers: they end a moment after `terminate`. */
async function checkWorkers(count, page_ = page) {
  for (let tries = 0; page_.workers().length !== count && tries < 100; tries += 1) await page_.waitForTimeout(20);
  assert.equal(page_.workers().length, count);
}

test("by default there are as many as cores, up to 4", async () => {
  const cores = await page.evaluate(() => navigator.hardwareConcurrency);
  const { info } = await load("tiny-bert");
  assert.equal(info.threads, Math.min(cores, 4));
  assert.equal(info.threadsLimit, cores > 1 ? null : "there is one core");
  await checkWorkers(info.threads);
});

describe("on two threads", () => {
  for (const name of ["tiny-bert", "tiny-modernbert"]) {
    test(`${name}, FP32`, async (context) => {
      const { info } = await load(name, { threads: 2, precision: "fp32" });
      assert.deepEqual([info.threads, info.threadsLimit, info.provider], [2, null, "wasm-relaxed-simd"]);
      await checkTokens(driver, name);
      const found = await checkVectors(driver, name, { difference: 1e-4, lowest: 0.99999 });
      await checkPooling(driver, name, 1e-3);
      await checkScores(driver, name, 1e-3);
      context.diagnostic(JSON.stringify(found));
    });
  }

  test("the demo model, INT8", async (context) => {
    const { info } = await load("demo", { threads: 2 });
    assert.deepEqual([info.threads, info.precision], [2, "int8"]);
    await checkTokens(driver, "minilm-colbert");
    const found = await checkVectors(driver, "minilm-colbert", INT8_BOUNDS[info.provider]);
    context.diagnostic(`INT8 against FP32: ${JSON.stringify(found)}`);
  });

  test("concurrent batches report progress and can be aborted", async () => {
    await load("demo", { threads: 2 });
    const { outcome, done, tokens } = await call("abort", 40, 3);
    assert.deepEqual([outcome.name, outcome.failed], ["AbortError", true]);
    assert.ok(done >= 3 && done < 40, `${done} were done`);
    assert.equal(tokens, 32);
  });
});

test("vectors are the same on any number of threads", async () => {
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
  for (const threads of [1, 2, 3]) {
    const found = await all({ wasm: "threads", threads });
    assert.equal(found.threads, threads);
    assert.deepEqual(found.vectors, one.vectors, `${threads} threads`);
  }
});

test("no worker is left behind", async () => {
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

test("a thread that cannot start fails the load", async () => {
  const { page, context } = await openPage(browser, isolated.origin);
  let asked = 0;
  await page.route(/worker.*\.js/, (route) => {
    asked += 1;
    return asked === 2 ? route.fulfill({ status: 404, body: "" }) : route.continue();
  });
  const found = await callIn(page, "load", `${models.origin}/tiny-bert`, { threads: 2 });
  assert.deepEqual([found.code, found.own], ["worker", true]);
  await checkWorkers(0, page);
  await context.close();
});

test("impossible options are refused", async () => {
  for (const [options, code, message] of [
    [{ threads: 0 }, "invalid_option", /from 1 to 64, found 0/],
    [{ threads: 65 }, "invalid_option", /found 65/],
    [{ threads: 1.5 }, "invalid_option", /found 1.5/],
    [{ threads: "2" }, "invalid_option", /found "2"/],
    [{ threads: 2, wasm: "base" }, "invalid_option", /expected 1 with the build `base`, found 2/],
    [{ threads: 2, worker: false }, "unsupported", /option `threads`.*must not wait/],
    [{ wasm: "threads", worker: false }, "unsupported", /option `wasm`.*must not wait/],
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
  assert.match(info.threadsLimit, /must not wait/);
  const asked = await load("tiny-bert", { threads: 1 });
  assert.deepEqual([asked.info.threads, asked.info.threadsLimit], [1, null]);
});

test("a page that is not isolated has one, and says so", async () => {
  const { page, context } = await openPage(browser, plain.origin);
  const { info } = await callIn(page, "load", `${models.origin}/tiny-bert`);
  assert.deepEqual([info.threads, info.provider], [1, "wasm-relaxed-simd"]);
  assert.match(info.threadsLimit, /not cross-origin isolated.*Cross-Origin-Embedder-Policy: require-corp/);
  const refused = await callIn(page, "load", `${models.origin}/tiny-bert`, { threads: 2 });
  assert.deepEqual([refused.code, refused.own], ["unsupported", true]);
  assert.match(refused.message, /Cross-Origin-Opener-Policy: same-origin/);
  await context.close();
});

test("in a worker of the page's own, without a bundler", async (t) => {
  const folder = join(project.folder, "own");
  mkdirSync(folder);
  cpSync(join(project.folder, "node_modules/multivec"), join(folder, "multivec"), { recursive: true });
  writeFileSync(
    join(folder, "index.html"),
    '<!doctype html><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>',
  );
  writeFileSync(join(folder, "main.js"), readFileSync(new URL("./app/own/main.js", import.meta.url)));
  writeFileSync(join(folder, "worker.js"), readFileSync(new URL("./app/own/worker.js", import.meta.url)));
  const app = await startServer({ "/": folder }, { headers: { ...headers, ...ISOLATION } });
  try {
    const { page, context, problems } = await openPage(browser, app.origin);
    const run = (options) =>
      page.evaluate(([source, options]) => globalThis.run(source, options), [`${models.origin}/demo`, options]);
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
    assert.deepEqual(problems, []);
    await context.close();
  } finally {
    await app.close();
  }
});

test("nothing broke the content security policy", () => {
  assert.deepEqual(
    problems.filter((text) => /Content Security Policy/i.test(text)),
    [],
  );
});
