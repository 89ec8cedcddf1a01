// Models that give dense, sparse and multi-vector embeddings from one pass.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CrossEncoder,
  DenseEncoder,
  Encoder,
  HybridEncoder,
  load,
  rank,
  rankScores,
  SparseEncoder,
} from "../../dist/index.js";
import { hubFiles, hubFixtures } from "../support/fixtures.mjs";
import { repository, startHub } from "../support/hub.mjs";
import { checkHybrid, farthest, farthestWeight, HYBRID, hybridDriver, references } from "../support/hybrid.mjs";
import { startServer } from "../support/server.mjs";

const path = join(hubFixtures, HYBRID);
const files = hubFiles(HYBRID);
/** The graph with three outputs, without the heads that are beside the transformer. */
const exported = Object.fromEntries(
  [...["config", "tokenizer", "tokenizer_config"].map((name) => `${name}.json`), "onnx/model.onnx"].map((name) => {
    return [name, files[name]];
  }),
);
const HEADS = ["sparse_linear", "colbert_linear"];
const fp32 = { precision: "fp32", wasm: "base", cache: false };
const TEXT = "WebAssembly has fixed width instructions 🐝 in browsers";

const failure = (promise, code, pattern) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.code, code, error.stack);
    assert.match(error.message, pattern);
    return true;
  });

describe("sources", () => {
  let hub;
  let server;
  let cache;
  before(async () => {
    hub = await startHub({ "org/hybrid": repository(path) });
    server = await startServer({ "/": hubFixtures });
    cache = mkdtempSync(join(tmpdir(), "multivec-hybrid-"));
  });
  after(async () => {
    await Promise.all([hub.close(), server.close()]);
    rmSync(cache, { recursive: true });
  });

  const sources = {
    "a folder": () => [path, {}],
    files: () => [files, {}],
    "an exported graph": () => [exported, {}],
    "a hub": () => ["org/hybrid", { endpoint: hub.origin, cache }],
    "a hub, again": () => ["org/hybrid", { endpoint: hub.origin, cache }],
    "a folder that cannot be listed": () => [`${server.origin}/${HYBRID}`, { cache }],
    "such a folder, again": () => [`${server.origin}/${HYBRID}`, { cache }],
  };
  for (const [name, source] of Object.entries(sources)) {
    test(name, async (context) => {
      const [from, options] = source();
      const encoder = await load(from, { ...fp32, ...options });
      assert.ok(encoder instanceof HybridEncoder);
      assert.deepEqual([encoder.kind, encoder.info.kind, encoder.info.dim], ["hybrid", "hybrid", 32]);
      const together = await checkHybrid(hybridDriver(encoder));
      const alone = await checkHybrid(hybridDriver(encoder), { batchSize: 1 });
      context.diagnostic(`together ${together}, alone ${alone}`);
      encoder.dispose();
    });
  }
});

for (const [name, source] of Object.entries({ heads: path, "an exported graph": exported })) {
  test(`each class loads its part of ${name}`, async () => {
    const [dense, sparse, multi, hybrid] = await Promise.all(
      [DenseEncoder, SparseEncoder, Encoder, HybridEncoder].map((one) => one.load(source, fp32)),
    );
    assert.deepEqual([dense.info.dim, sparse.info.dim, multi.info.dim], [32, 1200, 24]);
    for (const { info } of [dense, sparse, multi]) assert.equal(info.fingerprint.space, hybrid.info.fingerprint.space);
    const [{ texts, expected }] = references;
    const parts = [
      await dense.encodeQueries(texts),
      await sparse.encodeQueries(texts),
      await multi.encodeQueries(texts),
    ];
    for (const [at, one] of expected.entries()) {
      assert.ok(farthest(parts[0][at].values, one.dense) < 1e-5);
      assert.ok(farthestWeight(parts[1][at], one) < 1e-5);
      assert.ok(farthest(parts[2][at].data, one.tokens) < 1e-5);
    }
    for (const encoder of [dense, sparse, multi, hybrid]) encoder.dispose();
    const refused = CrossEncoder.load(source, fp32);
    await failure(refused, "model_mismatch", /cross-encoder model, found a (hybrid|dense) model, .*Encoder\.load/);
  });
}

describe("embeddings", () => {
  let encoder;
  before(async () => {
    encoder = await HybridEncoder.load(path, fp32);
  });
  after(() => encoder.dispose());

  test("tokens are those of the text, and spelled", async () => {
    const { dense, sparse, multiVector } = await encoder.encodeDocument(TEXT);
    const [{ ids, texts, kept, spans }] = await encoder.tokenize([TEXT], "document");
    const rows = Array.from({ length: multiVector.tokens }, (_, row) => multiVector.rowTokens(row)[0]);
    assert.deepEqual(
      rows.map(({ id }) => id),
      Array.from(ids).filter((_, at) => kept[at]),
    );
    assert.deepEqual(
      rows.map(({ span }) => span),
      spans.filter((_, at) => kept[at]),
    );
    // In UTF-16: the bee has two units.
    const inText = rows.filter(({ span }) => span !== null).map(({ span }) => TEXT.slice(...span));
    assert.ok(inText.some((text) => text.trim() === "🐝"));
    assert.match(inText.at(-1), /s$/);
    const spelled = new Map(Array.from(ids, (id, at) => [id, texts[at]]));
    assert.ok(sparse.tokens.length > 3);
    for (const { id, text } of sparse.tokens) assert.equal(text, spelled.get(id));
    assert.deepEqual([dense.dim, multiVector.dim, sparse.dim], [32, 24, 1200]);
    for (const { truncation } of [dense, sparse, multiVector]) assert.deepEqual(truncation, multiVector.truncation);
    const buffers = [dense.values.buffer, sparse.values.buffer, sparse.indices.buffer, multiVector.data.buffer];
    assert.equal(new Set(buffers).size, 4);
  });

  test("parts compare", async () => {
    const texts = ["The tide is high.", TEXT, "Bees make honey."];
    const [query, documents] = [await encoder.encodeQuery(TEXT), await encoder.encodeDocuments(texts)];
    const rankings = [
      rankScores(documents.map(({ dense }) => query.dense.similarity(dense))),
      rank(
        query.multiVector,
        documents.map(({ multiVector }) => multiVector),
      ),
    ];
    for (const [{ index }] of rankings) assert.equal(index, 1);
    const { sparse } = query;
    const squares = sparse.values.reduce((sum, value) => sum + value * value, 0);
    assert.ok(Math.abs(sparse.dot(documents[1].sparse) - squares) < 1e-4);
  });

  test("streams, and calls without a text", async () => {
    const texts = ["one", "two words", "three more words"];
    const streamed = [];
    for await (const one of encoder.streamDocuments(texts, { readAhead: 2 })) streamed.push(one);
    const called = await encoder.encodeDocuments(texts);
    for (const [at, { dense, multiVector }] of called.entries()) {
      assert.ok(farthest(streamed[at].dense.values, dense.values) < 1e-5);
      assert.ok(farthest(streamed[at].multiVector.data, multiVector.data) < 1e-5);
    }
    assert.deepEqual(await encoder.encodeDocuments([]), []);
  });

  test("pooling is of vectors of tokens alone", async () => {
    const whole = await encoder.encodeDocument(TEXT);
    const pooled = await encoder.encodeDocument(TEXT, { poolFactor: 2 });
    assert.ok(pooled.multiVector.tokens < whole.multiVector.tokens);
    assert.deepEqual(pooled.dense.values, whole.dense.values);
    assert.deepEqual(pooled.sparse.values, whole.sparse.values);
    await failure(
      encoder.encodeQuery("a", { dimensions: 8 }),
      "invalid_option",
      /dimensions.*dense model.*hybrid model/,
    );
  });
});

test("pickled heads are refused by name", async () => {
  const pickled = Object.fromEntries(
    Object.entries(files).filter(([name]) => !name.startsWith("onnx/") && !HEADS.some((head) => name.includes(head))),
  );
  for (const head of HEADS) pickled[`${head}.pt`] = new TextEncoder().encode("PK");
  (await DenseEncoder.load(pickled, fp32)).dispose();
  for (const one of [HybridEncoder, SparseEncoder, Encoder]) {
    await failure(one.load(pickled, fp32), "missing_file", /sparse_linear\.safetensors.*\.pt.*a pickle/);
  }
});
