// Dense and sparse encoders and cross-encoders.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CrossEncoder,
  DenseEncoder,
  Encoder,
  HybridEncoder,
  load,
  MultiVectorEncoder,
  rankScores,
  SparseEncoder,
} from "../../dist/index.js";
import { fixtures, hubFiles, hubFixtures } from "../support/fixtures.mjs";
import { checkHead, headDriver, headModels } from "../support/heads.mjs";
import { repository, startHub } from "../support/hub.mjs";
import { startServer } from "../support/server.mjs";

const path = (name) => join(hubFixtures, name);
const fp32 = { precision: "fp32", wasm: "base", cache: false };
const CLASSES = {
  "multi-vector": MultiVectorEncoder,
  dense: DenseEncoder,
  sparse: SparseEncoder,
  "cross-encoder": CrossEncoder,
  hybrid: HybridEncoder,
};
const ONE_OF_EACH = {
  "multi-vector": "mv-pylate-bert",
  dense: "dense-bert-cls",
  sparse: "sparse-bert-splade",
  "cross-encoder": "rerank-bert",
};
const failure = (promise, code, pattern) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.code, code, error.stack);
    assert.match(error.message, pattern);
    return true;
  });

describe("references", () => {
  for (const name of headModels) {
    test(name, async (context) => {
      const encoder = await load(path(name), fp32);
      const driver = headDriver(encoder);
      const together = await checkHead(driver, name);
      const alone = await checkHead(driver, name, { batchSize: 1 });
      context.diagnostic(`together ${together}, alone ${alone}`);
      encoder.dispose();
    });
  }
});

describe("rerankers that generate text, as exported graphs", () => {
  const model = "rerank-qwen3";
  for (const graph of ["script-17", "dynamo-18", "past-17", "past-18", "runtime-21"]) {
    test(graph, async () => {
      const { "model.safetensors": weights, ...files } = hubFiles(model);
      // Some graphs have their weights in `weights.data`.
      files["model.onnx"] = readFileSync(join(fixtures, "causal", `${graph}.onnx`));
      files["weights.data"] = weights;
      const encoder = await load(files, fp32);
      const driver = headDriver(encoder);
      await checkHead(driver, model);
      await checkHead(driver, model, { batchSize: 1 });
      encoder.dispose();
    });
  }
});

describe("sources", () => {
  let hub;
  let server;
  let cache;
  before(async () => {
    hub = await startHub(Object.fromEntries(headModels.map((name) => [`org/${name}`, repository(path(name))])));
    server = await startServer({ "/": hubFixtures });
    cache = mkdtempSync(join(tmpdir(), "multivec-kinds-"));
  });
  after(async () => {
    await Promise.all([hub.close(), server.close()]);
    rmSync(cache, { recursive: true });
  });

  for (const name of headModels) {
    test(name, async () => {
      const spaces = new Set();
      const sources = [
        [`org/${name}`, { endpoint: hub.origin }],
        [`org/${name}`, { endpoint: hub.origin }],
        [`${server.origin}/${name}`, {}],
        [hubFiles(name), {}],
      ];
      for (const [source, options] of sources) {
        const encoder = await load(source, { ...fp32, cache, ...options });
        await checkHead(headDriver(encoder), name);
        spaces.add(encoder.info.fingerprint.space);
        encoder.dispose();
      }
      assert.equal(spaces.size, 1);
    });
  }

  test("a model of another kind is refused before its weights are downloaded", async () => {
    hub.takeLog();
    const loading = DenseEncoder.load("org/rerank-bert", { ...fp32, endpoint: hub.origin });
    await failure(loading, "model_mismatch", /expected a dense model, found a cross-encoder model.*CrossEncoder\.load/);
    assert.deepEqual(
      hub.takeLog().filter(({ path }) => path?.endsWith(".safetensors")),
      [],
    );
  });
});

describe("kinds", () => {
  test("`load` finds them out, and each class takes its own alone", async () => {
    for (const [kind, name] of Object.entries(ONE_OF_EACH)) {
      const encoder = await load(path(name), fp32);
      assert.ok(encoder instanceof CLASSES[kind]);
      assert.deepEqual([encoder.kind, encoder.info.kind], [kind, kind]);
      encoder.dispose();
      for (const [other, { load }] of Object.entries(CLASSES)) {
        if (other === kind) continue;
        const expected = new RegExp(`expected a ${other} model, found a ${kind} model`);
        await failure(load(path(name), fp32), "model_mismatch", expected);
      }
    }
    assert.equal(Encoder, MultiVectorEncoder);
  });

  test("options of other kinds are refused", async () => {
    const cases = [
      ["dense", { queryExpansion: "on" }, /queryExpansion.*multi-vector model.*dense model/],
      ["dense", { poolFactor: 2 }, /pooling.*multi-vector model.*dense model/],
      ["sparse", { dimensions: 8 }, /dimensions.*dense model.*sparse model/],
      ["multi-vector", { dimensions: 8 }, /dimensions.*dense model.*multi-vector model/],
      ["dense", { dimensions: 65 }, /dimensions.*1 to 64/],
      ["dense", { prompt: "nonsense" }, /prompt.*nonsense/],
    ];
    for (const [kind, options, message] of cases) {
      await failure(load(path(ONE_OF_EACH[kind]), { ...fp32, ...options }), "invalid_option", message);
    }
  });
});

describe("dense", () => {
  let encoder;
  before(async () => {
    encoder = await DenseEncoder.load(path("dense-bert-cls"), fp32);
  });
  after(() => encoder.dispose());

  test("embeddings", async () => {
    const texts = ["Bread rises because of yeast.", "Paris is the capital of France."];
    const documents = await encoder.encodeDocuments(texts);
    const [first, second] = documents;
    assert.deepEqual([first.dim, encoder.info.dim, encoder.info.similarity], [64, 64, "cosine"]);
    assert.notEqual(first.values.buffer, second.values.buffer);
    assert.ok(Math.abs(first.similarity(first) - 1) < 1e-6);
    assert.equal(first.truncation.truncated, false);
    const ranking = rankScores(documents.map((document) => first.similarity(document)));
    assert.deepEqual(
      ranking.map(({ index }) => index),
      [0, 1],
    );
    assert.deepEqual(await encoder.encodeDocuments([]), []);
  });

  test("the first columns alone", async () => {
    const whole = await encoder.encodeQuery("a query");
    const short = await encoder.encodeQuery("a query", { dimensions: 16 });
    assert.deepEqual(Array.from(short.values), Array.from(whole.values.subarray(0, 16)));
    assert.throws(() => whole.similarity(short), { code: "dimension_mismatch" });
  });

  test("streams", async () => {
    const texts = ["one", "two words", "three more words", "four"];
    const streamed = [];
    for await (const one of encoder.streamDocuments(texts, { readAhead: 2 })) streamed.push(Array.from(one.values));
    const called = await encoder.encodeDocuments(texts);
    for (const [at, { values }] of called.entries()) {
      assert.ok(values.every((value, column) => Math.abs(value - streamed[at][column]) < 1e-5));
    }
    assert.equal(streamed.length, 4);
  });
});

describe("sparse", () => {
  let encoder;
  before(async () => {
    encoder = await SparseEncoder.load(path("sparse-bert-splade"), fp32);
  });
  after(() => encoder.dispose());

  test("embeddings", async () => {
    const [first, second] = await encoder.encodeDocuments(["the capital of France", "bread"]);
    assert.equal(first.dim, encoder.info.dim);
    assert.ok(first.indices.every((index, at) => at === 0 || index > first.indices[at - 1]));
    const { tokens } = first;
    assert.equal(tokens.length, first.length);
    assert.ok(tokens.every(({ text, weight }, at) => text !== "" && (at === 0 || weight <= tokens[at - 1].weight)));
    const [{ ids, texts }] = await encoder.tokenize(["the capital of France"], "document");
    const spelled = new Map(Array.from(ids, (id, at) => [id, texts[at]]));
    for (const { id, text } of tokens) if (spelled.has(id)) assert.equal(text, spelled.get(id));
    const top = first.topK(3);
    assert.deepEqual(
      top.tokens.map(({ id }) => id),
      tokens.slice(0, 3).map(({ id }) => id),
    );
    const whole = ({ indices, values, dim }) => {
      const row = new Array(dim).fill(0);
      for (const [at, index] of indices.entries()) row[index] = values[at];
      return row;
    };
    const right = whole(second);
    const expected = whole(first).reduce((sum, value, at) => sum + value * right[at], 0);
    assert.ok(Math.abs(first.dot(second) - expected) < 1e-6 * Math.max(1, expected));
  });
});

describe("cross-encoders", () => {
  let encoder;
  before(async () => {
    encoder = await CrossEncoder.load(path("rerank-bert"), fp32);
  });
  after(() => encoder.dispose());

  test("rank as they predict", async () => {
    const documents = ["Paris is the capital of France.", "Bread rises.", "France", "a much longer document of words"];
    const query = "capital of France";
    const predictions = await encoder.predict(documents.map((document) => [query, document]));
    const ranking = await encoder.rank(query, documents);
    const logits = predictions.map(({ logits: [logit] }) => logit);
    const order = [...logits.keys()].sort((left, right) => logits[right] - logits[left]);
    assert.deepEqual(
      ranking.map(({ index }) => index),
      order,
    );
    for (const { index, logit, score } of ranking) {
      assert.ok(Math.abs(logit - logits[index]) < 1e-5);
      assert.equal(score, predictions[index].scores[0] === score ? score : Math.fround(score));
    }
    assert.deepEqual(await encoder.rank(query, []), []);
  });

  test("progress counts pairs, and what is no pair is refused", async () => {
    const progress = [];
    const pairs = Array.from({ length: 5 }, (_, at) => ["query", `document ${at}`]);
    await encoder.predict(pairs, { batchSize: 2, onProgress: (one) => progress.push(one) });
    assert.deepEqual(progress.at(-1), { done: 5, total: 5 });
    await failure(encoder.predict([["one"]]), "invalid_option", /pairs.*two texts/);
    await failure(encoder.predict([["one", 2]]), "invalid_option", /texts.*strings/);
    const long = ["query", "word ".repeat(600)];
    const [{ truncation }] = await encoder.predict([long]);
    assert.equal(truncation.truncated, true);
    await failure(encoder.predict([["a", "b"], long], { truncation: "error" }), "text_too_long", /1/);
  });
});
