// The packed package in a Vite app, built for production, under a strict
// content security policy, in each browser.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { maxSim } from "../../dist/index.js";
import { misbehave } from "../support/error-cases.mjs";
import { demoModel, fixtures, modelFiles } from "../support/fixtures.mjs";
import { checkPooling, checkScores, checkTokens, checkVectors, INT8_BOUNDS } from "../support/parity.mjs";
import { startServer } from "../support/server.mjs";
import { CSP, ISOLATION } from "./support/browser.mjs";
import { buildProject } from "./support/built.mjs";
import { isThorough, keepsCaches, launchChosen, openPage } from "./support/drivers/driver.mjs";

const MODEL = "/demo/model_int8.onnx";
const mounts = { "/demo/": demoModel, "/": fixtures };
let project;
let app;
let models;
let refusing;
let browser;
let page;
let platform;

before(async () => {
  project = await buildProject();
  app = await startServer({ "/": project.dist }, { headers: { "content-security-policy": CSP } });
  models = await startServer(mounts, { cors: true });
  refusing = await startServer(mounts);
  misbehave(models);
  browser = await launchChosen();
  page = await openPage(browser, app.origin);
  platform = await page.call("platform");
});
after(async () => {
  await browser?.close();
  await Promise.all([app, models, refusing].map((server) => server?.close()));
  project?.remove();
});

const call = (...args) => page.call(...args);
const driver = {
  encode: async (kind, texts, options) =>
    (await call("encode", kind, texts, options)).map(({ data, dim }) => {
      const { buffer } = Uint8Array.from(Buffer.from(data, "base64"));
      return { data: new Float32Array(buffer), dim, tokens: buffer.byteLength / 4 / dim };
    }),
  tokenize: (kind, texts) => call("tokenize", kind, texts),
  maxSim,
};

test("importing the package requests nothing more", () => {
  const paths = app.log.map(({ path }) => path);
  assert.deepEqual(
    paths.filter((path) => /worker|wasm/.test(path)),
    [],
  );
});

for (const worker of [true, false]) {
  const where = worker ? "in the worker" : "in place";
  describe(where, () => {
    for (const name of ["tiny-bert", "tiny-modernbert"]) {
      test(`${name}, FP32`, async (context) => {
        const { info } = await call("load", `${models.origin}/${name}`, { worker, precision: "fp32" });
        assert.equal(info.precision, "fp32");
        await checkTokens(driver, name);
        const found = await checkVectors(driver, name, { difference: 1e-4, lowest: 0.99999 });
        await checkPooling(driver, name, 1e-3);
        await checkScores(driver, name, 1e-3);
        context.diagnostic(`${info.provider}: ${JSON.stringify(found)}`);
      });
    }

    test("the demo model, INT8", async (context) => {
      const { info, last, ms } = await call("load", `${models.origin}/demo`, { worker });
      assert.equal(info.precision, "int8");
      const { length } = readFileSync(join(demoModel, "model_int8.onnx"));
      assert.deepEqual(last.model, { loaded: length, total: length });
      await checkTokens(driver, "minilm-colbert");
      const found = await checkVectors(driver, "minilm-colbert", INT8_BOUNDS[info.provider]);
      context.diagnostic(`${info.provider}, loaded in ${ms.toFixed()} ms; INT8 against FP32: ${JSON.stringify(found)}`);
    });

    test("streams, and pools embeddings", async () => {
      const texts = ["one document of some words", "two", "three more words", "four", "five"];
      const found = await call("streamAndPool", texts, 2);
      assert.deepEqual(
        found.streamed.map(({ rows }) => rows),
        found.called.map(({ rows }) => rows),
      );
      assert.deepEqual(found.pooled, found.encoded);
      assert.equal(found.called[0].rows[0][0].text, "[CLS]");
    });

    test("aborts between two batches", async () => {
      const { outcome, done, tokens } = await call("abort", 40, 3);
      assert.deepEqual([outcome.name, outcome.failed], ["AbortError", true]);
      assert.ok(done < 40, `${done} were done`);
      assert.equal(tokens, 32);
    });

    // In the worker, each case starts one.
    test("every error has its code", { skip: worker && !isThorough && "at night" }, async () => {
      const files = Object.entries(modelFiles("tiny-bert", "model.onnx"));
      const outcomes = await call("errors", {
        files: Object.fromEntries(files.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")])),
        origin: models.origin,
        refused: `${refusing.origin}/tiny-bert`,
        options: { worker },
      });
      assert.deepEqual(
        outcomes.filter(({ code, expected, tokens }) => code !== expected || tokens !== 24),
        [],
      );
      assert.match(outcomes.find(({ expected }) => expected === "network").message, /CORS/);
      assert.match(
        outcomes.find(({ name }) => name === "operators that do not exist").message,
        /Softest \(2 nodes.*Transport \(8 nodes/,
      );
    });
  });
}

test("a page does not freeze while the worker works", async (context) => {
  await call("load", `${models.origin}/demo`);
  const { longest, total } = await call(
    "freeze",
    Array(40).fill("A document of some more words, so that there is something to do. ".repeat(4)),
  );
  context.diagnostic(`longest pause ${longest.toFixed()} ms of ${total.toFixed()} ms`);
  assert.ok(longest < total / 4, `${longest} of ${total} ms`);
});

test("both builds can be forced", async () => {
  for (const [wasm, provider] of [
    ["base", "wasm-simd128"],
    ["relaxed", platform.relaxed ? "wasm-relaxed-simd" : "unsupported"],
  ]) {
    const { info, code } = await call("load", `${models.origin}/tiny-bert`, { wasm });
    assert.equal(info?.provider ?? code, provider);
  }
});

describe("a worker that cannot start fails the load", () => {
  const loadFrom = async (options, change) => {
    const own = await startServer({ "/": project.dist }, options);
    change?.(own);
    const other = await openPage(browser, own.origin);
    const found = await other.call("load", `${models.origin}/tiny-bert`, { threads: 1 });
    await other.close();
    await own.close();
    assert.deepEqual([found.code, found.own], ["worker", true], JSON.stringify(found));
    return found.message;
  };
  const script = () =>
    `/assets/${readdirSync(join(project.dist, "assets")).find((name) => /worker.*\.js$/.test(name))}`;

  test("where its script is missing", async () => {
    const message = await loadFrom({}, ({ behaviour }) => behaviour.set(script(), { status: 404 }));
    assert.match(message, /is it served/);
  });

  test("where the content security policy forbids it", async () => {
    const policy = CSP.replace("worker-src 'self'", "worker-src 'none'");
    assert.match(await loadFrom({ headers: { "content-security-policy": policy } }), /worker-src 'self'/);
  });

  test("where only the page has the headers of isolation", async () => {
    const without = Object.fromEntries(Object.keys(ISOLATION).map((name) => [name, undefined]));
    const message = await loadFrom({ headers: ISOLATION }, ({ behaviour }) =>
      behaviour.set(script(), { headers: without }),
    );
    assert.match(message, /^the worker failed:[^?]*Cross-Origin-Embedder-Policy/);
  });
});

test("a page that may not compile WebAssembly says so", async () => {
  const policy = CSP.replace("'wasm-unsafe-eval'", "");
  const own = await startServer({ "/": project.dist }, { headers: { "content-security-policy": policy } });
  const other = await openPage(browser, own.origin);
  for (const worker of [true, false]) {
    const found = await other.call("load", `${models.origin}/tiny-bert`, { worker, wasm: "base" });
    assert.deepEqual([found.code, found.own], ["unsupported", true], JSON.stringify(found));
    assert.match(found.message, /wasm-unsafe-eval/);
  }
  await other.close();
  await own.close();
});

describe("cache", () => {
  const fresh = async () => {
    await page.close();
    page = await openPage(browser, app.origin);
    models.takeLog();
  };
  const asked = () => models.takeLog().filter(({ path, method }) => path === MODEL && method === "GET");

  test("a broken and an aborted download are resumed", async () => {
    await fresh();
    models.behaviour.set(MODEL, { cutAfter: 9_000_000 });
    assert.equal((await call("load", `${models.origin}/demo`)).code, "network");
    models.behaviour.set(MODEL, { pauseAfter: 6_000_000 });
    const aborted = await call("abortLoad", `${models.origin}/demo`, {}, 12_000_000);
    assert.equal(aborted.name, "AbortError");
    models.behaviour.delete(MODEL);
    const { phases } = await call("load", `${models.origin}/demo`);
    assert.deepEqual(phases.sort(), ["cache", "network"]);
    const [first, second, third, ...more] = asked();
    assert.deepEqual([first.status, second.status, third.status, more], [200, 206, 206, []]);
    // Bytes in the browser's own buffers may be lost.
    const [start, next] = [second, third].map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range)[1]));
    assert.ok(start > 8_000_000 && start <= 9_000_000 && next >= 12_000_000, `${start}, ${next}`);
  });

  test("what an aborted load has received survives leaving the page at once", async (context) => {
    if (!keepsCaches) return context.skip("this browser keeps no caches");
    await fresh();
    models.behaviour.set(MODEL, { pauseAfter: 7_000_000 });
    const aborted = await call("abortLoad", `${models.origin}/demo`, {}, 6_500_000);
    assert.equal(aborted.name, "AbortError");
    await page.reload();
    models.behaviour.delete(MODEL);
    const { phases } = await call("load", `${models.origin}/demo`);
    assert.deepEqual(phases.sort(), ["cache", "network"]);
    const [start] = asked().flatMap(({ range }) =>
      range === undefined ? [] : [Number(/^bytes=(\d+)-$/.exec(range)[1])],
    );
    assert.ok(start >= 6_500_000, `${start}`);
  });

  test("a server that refuses ranges to other origins sends the whole file", async () => {
    await fresh();
    models.behaviour.set(MODEL, { cutAfter: 9_000_000 });
    assert.equal((await call("load", `${models.origin}/demo`)).code, "network");
    models.behaviour.set(MODEL, { noPreflight: true });
    const { info } = await call("load", `${models.origin}/demo`);
    assert.equal(info.precision, "int8");
    models.behaviour.delete(MODEL);
    assert.deepEqual(
      asked().map(({ range, status }) => [range, status]),
      [
        [undefined, 200],
        [undefined, 200],
      ],
    );
  });

  test("a corrupted entry is downloaded again", async () => {
    assert.ok((await call("corrupt")) > 1_000_000);
    const { info } = await call("load", `${models.origin}/demo`);
    assert.equal(info.precision, "int8");
    assert.equal(asked().length, 1);
    assert.deepEqual((await call("load", `${models.origin}/demo`)).phases, ["cache"]);
  });

  test("a wrong SHA-256 is reported", async () => {
    const found = await call("load", `${models.origin}/demo`, { sha256: { model: "0".repeat(64) } });
    assert.deepEqual([found.code, found.own], ["integrity", true]);
    await call("load", `${models.origin}/demo`);
  });

  test("the model loads again while its server is stopped", async (context) => {
    await models.close();
    if (keepsCaches) await page.reload();
    const { phases, info, ms } = await call("load", `${models.origin}/demo`);
    assert.deepEqual(phases, ["cache"]);
    assert.equal(info.modelName, "minilm-colbert");
    const without = await call("load", `${models.origin}/demo`, { cache: false });
    assert.equal(without.code, "network");
    context.diagnostic(`from the cache in ${ms.toFixed()} ms`);
  });
});

test("nothing broke the content security policy", async () => {
  const found = await page.problems();
  assert.deepEqual(
    found.filter((text) => /Content Security Policy/i.test(text)),
    [],
  );
});
