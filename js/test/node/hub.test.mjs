// Models as hubs have them: their layouts from everywhere, and the hub itself.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import * as multivec from "../../dist/index.js";
import { readListing } from "../../dist/loading/hub.js";
import { compare } from "../support/compare.mjs";
import { hubFiles, hubFixtures, hubModels } from "../support/fixtures.mjs";
import { repository, startHub } from "../support/hub.mjs";
import { checkHubModel, localDriver } from "../support/parity.mjs";
import { startServer } from "../support/server.mjs";

const { Encoder } = multivec;
const ID = "org/mv-pylate-bert";
const WEIGHTS = "model.safetensors";
const TEXT = "Bees make honey, and plants turn light into food.";
const repositories = {};
let hub;
let server;
let cache;

before(async () => {
  hub = await startHub(repositories);
  server = await startServer({ "/": hubFixtures });
});
after(() => Promise.all([hub.close(), server.close()]));
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "multivec-hub-"));
  for (const name of hubModels) repositories[`org/${name}`] = repository(join(hubFixtures, name));
  for (const key of Object.keys(hub.faults)) delete hub.faults[key];
  server.behaviour.clear();
  hub.takeLog();
  server.takeLog();
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const load = (source, options = {}) => Encoder.load(source, { cache, wasm: "base", ...options });
const fromHub = (id = ID, options = {}) => load(id, { endpoint: hub.origin, ...options });
const failure = (promise, expected, pattern = /./) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.name, "EncoderError", error.stack);
    const found = { code: error.code, ...(expected.status && { status: error.status }) };
    assert.deepEqual(found, expected, error.message);
    assert.match(error.message, pattern);
    return true;
  });

describe("layouts", () => {
  for (const name of hubModels) {
    test(name, async (context) => {
      const all = hubFiles(name);
      const blobs = Object.fromEntries(Object.entries(all).map(([path, bytes]) => [path, new Blob([bytes])]));
      const sources = {
        address: (options) => load(`${server.origin}/${name}`, options),
        path: (options) => load(join(hubFixtures, name), options),
        bytes: (options) => load(all, options),
        blobs: (options) => load(blobs, options),
        id: (options) => fromHub(`org/${name}`, options),
      };
      const spaces = new Set();
      for (const [from, start] of Object.entries(sources)) {
        const encoder = await start({ precision: "fp32" });
        const most = await checkHubModel(localDriver(encoder, multivec), name);
        spaces.add(JSON.stringify(encoder.info.fingerprint));
        assert.equal(encoder.info.precision, name.endsWith("f16") ? "fp16" : "fp32");
        assert.equal(encoder.info.quantization, "stored");
        encoder.dispose();
        context.diagnostic(`${from}: ${most}`);
      }
      assert.equal(spaces.size, 1);
    });

    test(`${name}, quantized as it is loaded`, async (context) => {
      const floats = await load(join(hubFixtures, name), { precision: "fp32" });
      const sources = {
        address: (options) => load(`${server.origin}/${name}`, options),
        bytes: (options) => load(hubFiles(name), options),
        id: (options) => fromHub(`org/${name}`, options),
      };
      const spaces = new Set();
      for (const start of Object.values(sources)) {
        for (const options of [{}, { precision: "int8" }]) {
          const encoder = await start(options);
          const { precision, quantization, quantizationRefused, fingerprint } = encoder.info;
          assert.deepEqual([precision, quantization, quantizationRefused], ["int8", "at-load", null]);
          assert.match(fingerprint.computed, /\/int8-at-load\/fused$/);
          assert.notEqual(fingerprint.space, floats.info.fingerprint.space);
          spaces.add(JSON.stringify(fingerprint));
          const [found, expected] = await Promise.all([encoder, floats].map((one) => one.encodeDocument(TEXT)));
          const { mean } = compare(found.data, expected.data, found.dim);
          assert.ok(mean > 0.99, `${mean}`);
          context.diagnostic(`${mean}`);
          encoder.dispose();
        }
      }
      floats.dispose();
      assert.equal(spaces.size, 1);
    });
  }

  test("weights that cannot be quantized run in floats, with the reason", async () => {
    const all = hubFiles("mv-pylate-bert");
    const weights = Uint8Array.from(all[WEIGHTS]);
    const view = new DataView(weights.buffer);
    const length = Number(view.getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + length)));
    const table = Object.entries(header).find(([name]) => name.endsWith("word_embeddings.weight"))[1];
    // In the last row, which no text here uses.
    view.setFloat32(8 + length + table.data_offsets[1] - 4, Number.POSITIVE_INFINITY, true);
    const files = { ...all, [WEIGHTS]: weights };
    const encoder = await load(files);
    const { precision, quantization, quantizationRefused } = encoder.info;
    assert.deepEqual([precision, quantization], ["fp32", "refused"]);
    assert.match(quantizationRefused, /model\.safetensors: expected finite numbers .*word_embeddings.*found inf/);
    await checkHubModel(localDriver(encoder, multivec), "mv-pylate-bert");
    encoder.dispose();
    await failure(load(files, { precision: "int8" }), { code: "invalid_model" }, /found inf/);
  });

  test("weights in several files", async () => {
    const { shards, index } = split(readFileSync(join(hubFixtures, "mv-pylate-bert", WEIGHTS)));
    const { [WEIGHTS]: _, ...rest } = hubFiles("mv-pylate-bert");
    const all = { ...rest, ...shards, "model.safetensors.index.json": index };
    repositories["org/sharded"] = { files: new Map(Object.entries(all).map(([path, b]) => [path, Buffer.from(b)])) };
    for (const [path, body] of Object.entries(all)) server.behaviour.set(`/sharded/${path}`, { body });
    const sources = [all, `${server.origin}/sharded/`].map((source) => (options) => load(source, options));
    for (const start of [...sources, (options) => fromHub("org/sharded", options)]) {
      const encoder = await start({ precision: "fp32" });
      await checkHubModel(localDriver(encoder, multivec), "mv-pylate-bert");
      encoder.dispose();
    }
  });

  test("only what is needed is loaded, and nothing twice", async () => {
    const paths = (log) => log.map(({ path }) => path).sort();
    server.takeLog();
    (await load(`${server.origin}/mv-st-modernbert/`)).dispose();
    const asked = paths(server.takeLog());
    assert.equal(new Set(asked).size, asked.length);
    assert.ok(asked.includes("/mv-st-modernbert/2_MultiVectorMask/config.json"));
    (await load(`${server.origin}/mv-st-modernbert/`)).dispose();
    assert.deepEqual(server.takeLog(), [], "a cached model asks for nothing");
  });

  test("wrong files are named", async () => {
    const all = hubFiles("mv-pylate-bert");
    const text = (text) => new TextEncoder().encode(text);
    const pointer = text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    for (const [path, bytes, code, pattern] of [
      [WEIGHTS, pointer, "not_a_model", /model\.safetensors: expected a safetensors file, found a Git LFS pointer/],
      [WEIGHTS, text("<!DOCTYPE html><p>"), "not_a_model", /a web page/],
      [WEIGHTS, text(""), "not_a_model", /an empty file/],
      [WEIGHTS, all[WEIGHTS].slice(0, 5000), "invalid_file", /model\.safetensors: .*truncated file of 5000/],
      [WEIGHTS, all[WEIGHTS].slice(0, -1), "invalid_file", /model\.safetensors: .*truncated file/],
      ["1_Dense/model.safetensors", pointer, "not_a_model", /1_Dense\/model\.safetensors: .*Git LFS/],
      ["tokenizer.json", pointer, "not_a_model", /tokenizer\.json: expected a JSON file/],
      ["modules.json", text("[{"), "config_syntax", /modules\.json/],
      [
        "config_sentence_transformers.json",
        text('{"model_type":"SparseEncoder"}'),
        "config_value",
        /modules\.json.*pylate/,
      ],
      ["config.json", text('{"model_type":"rwkv","hidden_size":64}'), "model_mismatch", /rwkv/],
    ]) {
      await failure(load({ ...all, [path]: bytes }), { code }, pattern);
    }
    // Without a length, and not kept.
    const cut = `/mv-pylate-bert/${WEIGHTS}`;
    server.behaviour.set(cut, { body: all[WEIGHTS].slice(0, 5000), headers: { "content-length": undefined } });
    await failure(load(`${server.origin}/mv-pylate-bert`), { code: "integrity" }, /found 5000, a truncated file/);
    server.behaviour.clear();
    (await load(`${server.origin}/mv-pylate-bert`)).dispose();
    const { "1_Dense/model.safetensors": _, ...incomplete } = all;
    await failure(load(incomplete), { code: "missing_file" }, /1_Dense\/model\.safetensors/);
    await failure(load({ "README.md": text("nothing") }), { code: "missing_file" }, /onnx_config\.json/);
  });
});

describe("the hub", () => {
  test("a revision, its commit, and a token", async () => {
    const token = "hub_secret";
    repositories[ID].token = token;
    const encoder = await fromHub(ID, { token, revision: "refs/pr/1" });
    const commit = hub.commitOf(ID);
    assert.deepEqual(encoder.info.hub, { id: ID, revision: "refs/pr/1", commit, offline: false });
    encoder.dispose();
    const log = hub.takeLog();
    for (const { origin, token: sent, path } of log) {
      assert.equal(sent, origin === "api" ? `Bearer ${token}` : undefined, path);
    }
    const files = log.filter(({ path }) => path.includes("/resolve/"));
    assert.ok(files.every(({ path }) => path.startsWith(`/${ID}/resolve/${commit}/`)));
    assert.ok(files.every(({ path }) => !path.endsWith("README.md")));
  });

  test("only needed files", async () => {
    repositories[ID].files.set("README.md", Buffer.from("# A model"));
    repositories[ID].files.set("pytorch_model.bin", Buffer.from("PK"));
    repositories[ID].files.set("checkpoints/1/config.json", Buffer.from("{}"));
    (await fromHub()).dispose();
    const asked = hub.takeLog().filter(({ path }) => path.includes("/resolve/"));
    const names = asked.map(({ path }) => path.split("/").slice(5).join("/"));
    assert.deepEqual(
      names.filter((name) => /README|pytorch|checkpoints/.test(name)),
      [],
    );
    assert.equal(new Set(names).size, 9);
  });

  test("a cached model costs one request, a new commit only what has changed", async () => {
    assert.equal(await Encoder.isCached(ID, { endpoint: hub.origin, cache }), false);
    (await fromHub()).dispose();
    assert.equal(await Encoder.isCached(ID, { endpoint: hub.origin, cache }), true);
    assert.equal(await Encoder.isCached(ID, { endpoint: hub.origin, cache, revision: "v1" }), false);
    hub.takeLog();
    const phases = new Set();
    (await fromHub(ID, { onProgress: ({ phase }) => phases.add(phase) })).dispose();
    assert.deepEqual([...phases], ["cache"]);
    assert.deepEqual(
      hub.takeLog().map(({ path }) => path),
      [`/api/models/${ID}/revision/main`],
    );
    const { files } = repositories[ID];
    const config = JSON.parse(files.get("config_sentence_transformers.json"));
    files.set("config_sentence_transformers.json", Buffer.from(JSON.stringify({ ...config, query_length: 12 })));
    const encoder = await fromHub();
    assert.equal(encoder.info.queryLength, 12);
    encoder.dispose();
    const asked = hub.takeLog().filter(({ path, origin }) => origin === "storage" || path.includes("/resolve/"));
    assert.deepEqual(
      asked.map(({ path }) => path.split("/").at(-1)),
      ["config_sentence_transformers.json"],
    );
  });

  test("a commit that is cached costs no request", async () => {
    const commit = hub.commitOf(ID);
    (await fromHub(`${ID}@${commit}`)).dispose();
    hub.takeLog();
    const encoder = await fromHub(ID, { revision: commit });
    assert.deepEqual(encoder.info.hub, { id: ID, revision: commit, commit, offline: false });
    encoder.dispose();
    assert.deepEqual(hub.takeLog(), []);
    await failure(fromHub(`${ID}@v1`, { revision: "main" }), { code: "invalid_option" }, /revision/);
  });

  test("is served from the cache where it cannot be reached, and only there", async () => {
    const floats = { precision: "fp32" };
    (await fromHub(ID, floats)).dispose();
    const commit = hub.commitOf(ID);
    hub.faults.status = 503;
    const encoder = await fromHub(ID, floats);
    assert.deepEqual(encoder.info.hub, { id: ID, revision: "main", commit, offline: true });
    await checkHubModel(localDriver(encoder, multivec), "mv-pylate-bert");
    encoder.dispose();
    for (const status of [401, 403, 404, 400]) {
      hub.faults.status = status;
      await failure(fromHub(), { code: "http", status });
    }
    hub.faults.status = 500;
    await failure(fromHub("org/mv-st-lfm2"), { code: "http", status: 500 });
    // Nothing listens there.
    const endpoint = "http://127.0.0.1:9";
    await failure(fromHub(ID, { endpoint }), { code: "network" });
  });

  test("is served from the cache where nothing listens", async () => {
    const own = await startHub(repositories);
    (await load(ID, { endpoint: own.origin })).dispose();
    await own.close();
    const encoder = await load(ID, { endpoint: own.origin });
    assert.equal(encoder.info.hub.offline, true);
    encoder.dispose();
  });

  test("says why a model is refused", async () => {
    await failure(fromHub("org/nothing"), { code: "http", status: 401 }, /needs the option `token`, or does not exist/);
    await failure(fromHub("org/nothing", { token: "x" }), { code: "http", status: 401 }, /the token is not valid/);
    await failure(fromHub(ID, { revision: "v9" }), { code: "http", status: 404 }, /no such model or revision/);
    repositories[ID].terms = true;
    await failure(fromHub(), { code: "http", status: 403 });
    for (const secret of ["hub secret", "hub\nsecret"]) {
      await assert.rejects(fromHub(ID, { token: secret }), (error) => {
        assert.equal(error.code, "invalid_option");
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
    await failure(fromHub(ID, { endpoint: "nowhere" }), { code: "invalid_option" }, /endpoint/);
    await failure(load(server.origin, { revision: "main" }), { code: "invalid_option" }, /revision/);
    await failure(load(hubFiles("mv-pylate-bert"), { token: "x" }), { code: "invalid_option" }, /token/);
  });

  test("waits where it is busy", async () => {
    hub.faults.busy = 2;
    (await fromHub()).dispose();
    hub.faults.busy = 100;
    hub.faults.retryAfter = 1000;
    await failure(fromHub("org/mv-st-lfm2"), { code: "http", status: 429 });
  });

  test("a broken transfer is resumed without a condition", async () => {
    hub.faults.cut = { [WEIGHTS]: 500_000 };
    await failure(fromHub(), { code: "network" }, /after \d+ bytes/);
    assert.equal(await Encoder.isCached(ID, { endpoint: hub.origin, cache }), false);
    delete hub.faults.cut;
    hub.takeLog();
    const encoder = await fromHub(ID, { precision: "fp32" });
    await checkHubModel(localDriver(encoder, multivec), "mv-pylate-bert");
    encoder.dispose();
    const resumed = hub.takeLog().find(({ origin, path }) => origin === "storage" && path === WEIGHTS);
    assert.match(resumed.range, /^bytes=[1-9]\d*-$/);
  });

  test("what differs from its hash or length is refused", async () => {
    const { files } = repositories[ID];
    const fresh = () => fromHub(ID, { cache: false });
    const spoilt = Buffer.from(files.get(WEIGHTS));
    spoilt[spoilt.length - 1] ^= 1;
    hub.faults.replace = { [WEIGHTS]: spoilt };
    await failure(fresh(), { code: "integrity" }, /model\.safetensors: expected the hash/);
    hub.faults.replace = { [WEIGHTS]: spoilt.subarray(0, 1000) };
    await failure(fresh(), { code: "integrity" }, /expected 785496 bytes, found 1000, a truncated file/);
    hub.faults.replace = { "config.json": Buffer.from(files.get("config.json").toString().replace("gelu", "relu")) };
    await failure(fresh(), { code: "integrity" }, /config\.json: expected the hash/);
    hub.faults.replace = { [WEIGHTS]: Buffer.from("<!doctype html><p>sign in") };
    await failure(fresh(), { code: "not_a_model" }, /a web page/);
  });

  test("a mirror without hashes", async () => {
    hub.faults.bare = true;
    (await fromHub()).dispose();
    hub.takeLog();
    (await fromHub()).dispose();
    assert.equal(hub.takeLog().length, 1);
  });

  test("a damaged cache is repaired", async () => {
    (await fromHub()).dispose();
    const paths = readdirSync(cache).map((name) => join(cache, name));
    const [largest] = paths.sort((left, right) => statSync(right).size - statSync(left).size);
    const bytes = readFileSync(largest);
    bytes[1000] ^= 1;
    for (const spoil of [() => writeFileSync(largest, bytes), () => rmSync(largest)]) {
      spoil();
      hub.takeLog();
      (await fromHub()).dispose();
      assert.equal(hub.takeLog().filter(({ origin }) => origin === "storage").length, 1);
    }
  });
});

test("damaged answers of a hub are read or refused, and lead to no other folder", () => {
  const siblings = [
    { rfilename: WEIGHTS, size: 7, lfs: { sha256: "ab".repeat(32), size: 7 }, blobId: "cd".repeat(20) },
    { rfilename: "1_Dense/config.json", size: 7, blobId: "cd".repeat(20) },
  ];
  const valid = new TextEncoder().encode(JSON.stringify({ sha: "ef".repeat(20), siblings }));
  const pieces = ["null", "../", "/", "[]", "{}", '"', "-1", "1e999", "\\u0000", ",", ""].map((text) =>
    Buffer.from(text),
  );
  let [seed, read] = [1, 0];
  const random = (below) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let round = 0; round < 20_000; round += 1) {
    const start = random(valid.length);
    const end = start + random(8);
    const damaged = Buffer.concat([valid.subarray(0, start), pieces[random(pieces.length)], valid.subarray(end)]);
    try {
      const { commit, files } = readListing(damaged, "the hub");
      assert.match(commit, /^[0-9a-f]{40}$/);
      for (const path of files.keys()) assert.doesNotMatch(path, /(^|\/)\.{0,2}(\/|$)/);
      read += 1;
    } catch (error) {
      assert.equal(error.code, "not_a_model", error.stack);
    }
  }
  assert.ok(read > 1_000 && read < 19_000, `${read} were read`);
});

describe("deleting", () => {
  test("removes a model, and keeps files of others", async () => {
    const options = { endpoint: hub.origin, cache };
    (await fromHub()).dispose();
    (await fromHub(ID, { revision: "v1" })).dispose();
    await Encoder.delete(ID, options);
    assert.equal(await Encoder.isCached(ID, options), false);
    assert.equal(await Encoder.isCached(ID, { ...options, revision: "v1" }), true);
    await Encoder.delete(ID, { ...options, revision: "v1" });
    // The list of models, which is empty.
    assert.equal(readdirSync(cache).length, 1);
  });

  test("removes what an unfinished load left, and models of folders", async () => {
    hub.faults.cut = { [WEIGHTS]: 500_000 };
    await failure(fromHub(), { code: "network" });
    assert.ok(readdirSync(cache).length > 5);
    await Encoder.delete(ID, { endpoint: hub.origin, cache });
    const folder = `${server.origin}/mv-pylate-bert/`;
    (await load(folder)).dispose();
    assert.equal(await Encoder.isCached(folder, { cache }), true);
    await Encoder.delete(new URL(folder), { cache });
    assert.equal(readdirSync(cache).length, 1);
    await failure(Encoder.isCached(hubFixtures, { cache }), { code: "invalid_input" });
  });
});

/** Two files with half of the tensors each, and their index. */
function split(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...header } = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  const shards = {};
  const weightMap = {};
  for (const half of [0, 1]) {
    const name = `model-0000${half + 1}-of-00002.safetensors`;
    const parts = [];
    const own = {};
    let at = 0;
    for (const [tensor, entry] of Object.entries(header).filter((_, index) => index % 2 === half)) {
      const [start, end] = entry.data_offsets;
      parts.push(bytes.subarray(8 + length + start, 8 + length + end));
      own[tensor] = { ...entry, data_offsets: [at, at + end - start] };
      at += end - start;
      weightMap[tensor] = name;
    }
    const json = Buffer.from(JSON.stringify(own));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(json.length));
    shards[name] = new Uint8Array(Buffer.concat([prefix, json, ...parts]));
  }
  return { shards, index: new TextEncoder().encode(JSON.stringify({ metadata: {}, weight_map: weightMap })) };
}
