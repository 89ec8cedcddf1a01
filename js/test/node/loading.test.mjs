// Download, cache, resumption and verification, against a real server.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { LocalEngine } from "../../dist/engine/local.js";
import { loadFiles as loadWith } from "../../dist/loading/load.js";
import { demoModel, fixtures, modelFiles } from "../support/fixtures.mjs";
import { startServer } from "../support/server.mjs";

const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
const demo = modelFiles("minilm-colbert");
const MODEL = "/demo/model_int8.onnx";
const engine = new LocalEngine({ wasm: "base", threads: 1, threadsLimit: null });
let server;
let cache;

/** The weights' path, and the bytes of the three files of an exported model. */
async function loadFiles(source, options) {
  const planner = {
    plan: (files, precision) => engine.plan({ files, wanted: { precision } }),
    external: (graph) => engine.external(graph),
    accept: () => undefined,
  };
  const { weights, contents, large } = await loadWith(source, options, planner);
  const config = Object.keys(contents).find((path) => path !== "tokenizer.json");
  const bytes = { model: large[0].bytes, tokenizer: contents["tokenizer.json"], config: contents[config] };
  return { weights, config, bytes };
}

before(async () => {
  server = await startServer({ "/demo/": demoModel, "/tiny/": join(fixtures, "tiny-bert") });
});
after(() => server.close());
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "multivec-cache-"));
  server.behaviour.clear();
  server.takeLog();
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const load = (path, options = {}) => loadFiles(`${server.origin}${path}`, { cache, ...options });
const failure = (promise, code, pattern = /./) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.name, "EncoderError", error.stack);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  });

/** The largest file in the cache: a part of the model. */
function largest() {
  const files = readdirSync(cache).map((name) => join(cache, name));
  return files.sort((left, right) => statSync(right).size - statSync(left).size)[0];
}

describe("layouts", () => {
  test("prefers INT8", async () => {
    const { weights, config, bytes } = await load("/tiny");
    assert.deepEqual([weights, config], ["model_int8.onnx", "onnx_config.json"]);
    assert.deepEqual(bytes.model, modelFiles("tiny-bert").model);
  });

  test("loads the requested precision", async () => {
    const { weights } = await load("/tiny/", { precision: "fp32" });
    assert.equal(weights, "model.onnx");
  });

  test("finds graphs in onnx/ and the older name of the configuration", async () => {
    const { model, config } = modelFiles("tiny-bert", "model.onnx");
    server.behaviour.set("/hub/onnx/model.onnx", { body: model });
    server.behaviour.set("/hub/config_sentence_transformers.json", { body: config });
    server.behaviour.set("/hub/tokenizer.json", { body: modelFiles("tiny-bert").tokenizer });
    const { weights, config: name } = await load("/hub");
    assert.deepEqual([weights, name], ["onnx/model.onnx", "config_sentence_transformers.json"]);
    server.takeLog();
    await load("/hub");
    assert.deepEqual(server.takeLog(), [], "a cached model asks for nothing");
  });

  test("reads a folder on disk, by path or address", async () => {
    for (const source of [demoModel, new URL(`file://${demoModel}/`)]) {
      const { bytes } = await loadFiles(source, { cache });
      assert.equal(sha(bytes.model), sha(demo.model));
    }
    assert.deepEqual(readdirSync(cache), [], "local files are not cached");
  });

  test("copies bytes, and reads the precision from the graph", async () => {
    for (const name of ["model.onnx", "model_int8.onnx"]) {
      const { model, tokenizer, config } = modelFiles("tiny-bert", name);
      const found = await loadFiles({ model, tokenizer: new Blob([tokenizer]), config: config.buffer }, {});
      assert.equal(found.weights, name);
      assert.notEqual(found.bytes.model.buffer, model.buffer);
      assert.deepEqual(found.bytes.model, model);
    }
  });

  test("names every file that was tried", () =>
    failure(load("/nowhere"), "missing_file", /onnx_config\.json.*found none/));
  test("a folder without the precision", () =>
    failure(load("/demo", { precision: "fp32" }), "missing_file", /model\.onnx/));
  test("a path that does not exist", () => failure(loadFiles(join(fixtures, "nothing"), {}), "missing_file"));
  test("a path of a folder in place of a file", () =>
    failure(loadFiles({ ...demo, model: fixtures }, {}), "io", /reading failed/));
});

describe("refusals", () => {
  const files = (model) => ({ model: `${server.origin}${model}`, tokenizer: demo.tokenizer, config: demo.config });

  test("HTTP errors", async () => {
    await failure(loadFiles(files("/nowhere.onnx"), { cache }), "http", /HTTP 404/);
    server.behaviour.set(MODEL, { status: 503 });
    await assert.rejects(load("/demo"), { code: "http", status: 503 });
  });

  test("a web page instead of a file, with or without its media type", async () => {
    server.behaviour.set("/page", { body: "<!doctype html><title>x</title>", type: "text/html" });
    server.behaviour.set("/raw", { body: "\n<html><body>x", type: "application/octet-stream" });
    await failure(loadFiles(files("/page"), { cache }), "not_a_model", /web page/);
    await failure(loadFiles(files("/raw"), { cache }), "not_a_model", /web page/);
    assert.deepEqual(readdirSync(cache), []);
  });

  test("a Git LFS pointer", () => {
    server.behaviour.set("/lfs", { body: "version https://git-lfs.github.com/spec/v1\noid sha256:0\n" });
    return failure(loadFiles(files("/lfs"), { cache }), "not_a_model", /LFS pointer/);
  });

  test("no answer", () =>
    failure(loadFiles("http://127.0.0.1:9/", { cache }), "network", /cannot be reached.*\(CORS\)/));

  test("a length that no memory can hold", () => {
    server.behaviour.set("/huge", { body: "x", headers: { "content-length": "900000000000000" } });
    return failure(loadFiles(files("/huge"), { cache }), "out_of_memory");
  });

  test("a file with a wrong SHA-256 is not cached", async () => {
    await failure(load("/demo", { sha256: { model: "0".repeat(64) } }), "integrity", /expected SHA-256 0+, found/);
    server.takeLog();
    await load("/demo", { sha256: { model: sha(demo.model).toUpperCase() } });
    assert.ok(server.takeLog().some(({ path }) => path === MODEL));
  });

  test("invalid options", async () => {
    await failure(loadFiles(demoModel, { precision: "int4" }), "invalid_option", /precision/);
    await failure(loadFiles(demo, { precision: "fp32" }), "invalid_option", /"int8"/);
    await failure(loadFiles(demo, { cache: { read() {} } }), "invalid_option", /cache/);
    await failure(loadFiles(7, {}), "invalid_input");
    await failure(loadFiles({ ...demo, tokenizer: 7 }, {}), "invalid_input", /tokenizer/);
  });
});

describe("cache", () => {
  test("is read without the server, and progress says so", async () => {
    await load("/demo");
    server.takeLog();
    const phases = new Set();
    const { bytes } = await load("/demo", { onProgress: ({ phase }) => phases.add(phase) });
    assert.deepEqual([...phases], ["cache"]);
    assert.deepEqual(server.takeLog(), []);
    assert.equal(sha(bytes.model), sha(demo.model));
  });

  test("a damaged entry is downloaded again", async () => {
    await load("/demo");
    const part = largest();
    const bytes = readFileSync(part);
    bytes[1000] ^= 1;
    for (const spoil of [() => writeFileSync(part, bytes), () => rmSync(largest())]) {
      spoil();
      server.takeLog();
      const found = await load("/demo");
      assert.deepEqual(
        server.takeLog().map(({ path }) => path),
        [MODEL],
      );
      assert.equal(sha(found.bytes.model), sha(demo.model));
    }
  });

  test("a cached file with another SHA-256 is downloaded again", async () => {
    server.behaviour.set(MODEL, { body: "an old model" });
    await load("/demo");
    server.behaviour.clear();
    const { bytes } = await load("/demo", { sha256: { model: sha(demo.model) } });
    assert.equal(sha(bytes.model), sha(demo.model));
  });

  test("can be switched off", async () => {
    for (const _ of [1, 2]) await load("/tiny", { cache: false });
    assert.equal(server.takeLog().length, 6);
  });

  test("can be an object of the user's, and may fail", async () => {
    const map = new Map();
    const own = {
      read: async (key) => map.get(key),
      write: async (key, bytes) => void map.set(key, bytes.slice()),
      remove: async (key) => void map.delete(key),
    };
    await load("/demo", { cache: own });
    server.takeLog();
    await load("/demo", { cache: own });
    assert.deepEqual(server.takeLog(), []);
    const full = {
      ...own,
      write: () => Promise.reject(new Error("full")),
      read: () => Promise.reject(new Error("gone")),
    };
    const { bytes } = await load("/demo", { cache: full });
    assert.equal(sha(bytes.model), sha(demo.model));
  });
});

describe("resumption", () => {
  test("a broken download is resumed", async () => {
    const cut = 10_000_000;
    server.behaviour.set(MODEL, { cutAfter: cut });
    await failure(load("/demo"), "network", /after 10000000 bytes/);
    server.behaviour.clear();
    server.takeLog();
    const events = [];
    const { bytes } = await load("/demo", { onProgress: (event) => event.file === "model" && events.push(event) });
    const request = server.takeLog().find(({ path }) => path === MODEL);
    assert.deepEqual([request.range, request.status], [`bytes=${cut}-`, 206]);
    assert.equal(sha(bytes.model), sha(demo.model));
    assert.deepEqual([events[0].phase, events.at(-1).phase], ["cache", "network"]);
    assert.deepEqual(events.at(-1), {
      phase: "network",
      file: "model",
      path: "model_int8.onnx",
      loaded: demo.model.length,
      total: demo.model.length,
    });
  });

  test("an aborted download is resumed", async () => {
    server.behaviour.set(MODEL, { pauseAfter: 9_000_000 });
    const abort = new AbortController();
    const reason = new Error("enough");
    const onProgress = ({ file, loaded }) => file === "model" && loaded >= 9_000_000 && abort.abort(reason);
    await assert.rejects(load("/demo", { signal: abort.signal, onProgress }), (error) => error === reason);
    server.behaviour.clear();
    server.takeLog();
    await load("/demo");
    assert.equal(server.takeLog().find(({ path }) => path === MODEL).range, "bytes=9000000-");
  });

  test("a file that has changed is downloaded anew", async () => {
    server.behaviour.set(MODEL, { cutAfter: 5_000_000 });
    await failure(load("/demo"), "network");
    const changed = demo.model.slice();
    changed[0] ^= 1;
    server.behaviour.set(MODEL, { body: changed });
    const { bytes } = await load("/demo");
    assert.equal(sha(bytes.model), sha(changed));
  });

  test("a server without ranges sends the whole file", async () => {
    server.behaviour.set(MODEL, { cutAfter: 5_000_000 });
    await failure(load("/demo"), "network");
    server.behaviour.set(MODEL, { noRange: true });
    const { bytes } = await load("/demo");
    assert.equal(sha(bytes.model), sha(demo.model));
  });

  test("with an aborted signal, nothing is requested", async () => {
    await assert.rejects(load("/demo", { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.deepEqual(server.takeLog(), []);
  });
});
