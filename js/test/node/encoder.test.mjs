// What embeddings tell, and how calls behave, in Node.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Embedding, Encoder, matches, maxSim, rank } from "../../dist/index.js";
import { modelFiles, modelFolder } from "../support/fixtures.mjs";

const TEXT = "naïve 🚀 café, tokens!";
let encoder;
before(async () => {
  encoder = await Encoder.load(modelFolder("tiny-bert"), { precision: "fp32" });
});
after(() => encoder.dispose());

describe("tokens of an embedding", () => {
  test("spans are those of JavaScript strings", async () => {
    const [embedding] = await encoder.encodeDocuments([TEXT]);
    const texts = await encoder.tokenTexts(embedding);
    assert.equal(texts.length, embedding.tokens);
    const joined = [];
    for (let row = 0; row < embedding.tokens; row += 1) {
      const [token, ...others] = embedding.rowTokens(row);
      assert.deepEqual(others, []);
      assert.equal(texts[row].length, 1);
      if (token.role === "text") joined.push(TEXT.slice(...token.span));
      else assert.equal(token.span, null);
    }
    assert.equal(joined.join(""), "naïve🚀cafétokens", "punctuation is on the skiplist");
    assert.deepEqual(embedding.rowTokens(0).map(({ role }) => role), ["special"]);
    assert.deepEqual(embedding.rowTokens(1).map(({ role }) => role), ["prefix"]);
  });

  test("pooled rows have several", async () => {
    const [whole] = await encoder.encodeDocuments([TEXT]);
    const [pooled] = await encoder.encodeDocuments([TEXT], { poolFactor: 3 });
    assert.ok(pooled.tokens < whole.tokens);
    const members = Array.from({ length: pooled.tokens }, (_, row) => pooled.rowTokens(row).length);
    assert.equal(members.reduce((sum, one) => sum + one), whole.tokens);
    assert.deepEqual((await encoder.tokenTexts(pooled)).map(({ length }) => length), members);
  });

  test("truncation is told", async () => {
    const [short, long] = await encoder.encodeDocuments(["one", "word ".repeat(100)]);
    assert.equal(short.truncation.truncated, false);
    assert.deepEqual(long.truncation, { keptTokens: 61, droppedTokens: long.truncation.droppedTokens, truncated: true });
    assert.ok(long.truncation.droppedTokens >= 39);
  });

  test("tokenize tells the same, with what is not kept", async () => {
    const [text] = await encoder.tokenize([TEXT], "document");
    const [embedding] = await encoder.encodeDocuments([TEXT]);
    assert.equal(text.kept.filter(Boolean).length, embedding.tokens);
    assert.equal(text.texts.length, text.ids.length);
    assert.ok(text.texts.includes(","));
    const [query] = await encoder.tokenize(["a"], "query");
    assert.equal(query.roles.filter((role) => role === "expansion").length, 24 - 4);
  });
});

describe("embeddings", () => {
  test("have rows, and buffers of their own", async () => {
    const [first, second] = await encoder.encodeDocuments(["one", "two"]);
    assert.equal(first.data.length, first.tokens * first.dim);
    assert.notEqual(first.data.buffer, second.data.buffer);
    assert.equal(first.row(1).length, first.dim);
    assert.equal(first.row(1).buffer, first.data.buffer);
    assert.throws(() => first.row(first.tokens), RangeError);
    assert.throws(() => first.rowTokens(-1), RangeError);
  });

  test("of stored vectors know nothing of a text", () => {
    const stored = Embedding.fromRows(new Float32Array([1, 0, 0, 1]), 2);
    assert.deepEqual([stored.tokens, stored.truncation, stored.rowTokens(0)], [2, undefined, []]);
    assert.throws(() => Embedding.fromRows(new Float32Array(3), 2), { code: "dimension_mismatch" });
  });
});

describe("scores", () => {
  const matrix = (dim, ...values) => Embedding.fromRows(new Float32Array(values), dim);
  const query = matrix(2, 1, 0, 0, 1);

  test("MaxSim, matches and ranks", () => {
    const best = matrix(2, 1, 0, 0, 1, 0.5, 0.5);
    const half = matrix(2, 0.5, 0.5);
    const none = matrix(2);
    assert.equal(maxSim(query, best), 2);
    assert.equal(maxSim(query, none), 0);
    assert.deepEqual(matches(query, best), [{ row: 0, score: 1 }, { row: 1, score: 1 }]);
    assert.deepEqual(matches(query, none), [{ row: null, score: 0 }, { row: null, score: 0 }]);
    const broken = matrix(2, NaN, NaN);
    const order = rank(query, [broken, half, best, half, none]).map(({ index }) => index);
    assert.deepEqual(order, [2, 1, 3, 4, 0], "equal scores in order, broken ones last");
  });

  test("negative products count", () => {
    assert.equal(maxSim(matrix(2, 1, 0), matrix(2, -1, 0)), -1);
  });

  test("dimensions must agree", () => {
    assert.throws(() => maxSim(query, matrix(1, 1)), { code: "dimension_mismatch" });
    assert.throws(() => rank(query, [query, matrix(1, 1)]), { code: "dimension_mismatch", message: /document 1/ });
  });
});

describe("calls", () => {
  test("of nothing give nothing", async () => {
    assert.deepEqual(await encoder.encodeDocuments([]), []);
    assert.deepEqual(await encoder.tokenize([], "query"), []);
  });

  test("report progress batch by batch", async () => {
    const events = [];
    await encoder.encodeDocuments(["a", "b", "c"], { batchSize: 1, onProgress: (event) => events.push(event) });
    assert.deepEqual(events, [1, 2, 3].map((done) => ({ done, total: 3 })));
  });

  test("stop between batches with the signal's reason", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    let batches = 0;
    const onProgress = () => {
      batches += 1;
      abort.abort(reason);
    };
    const call = encoder.encodeDocuments(Array(10).fill("text"), { batchSize: 1, signal: abort.signal, onProgress });
    await assert.rejects(call, (error) => error === reason);
    assert.equal(batches, 1);
    await assert.rejects(encoder.encodeQuery("a", { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal((await encoder.encodeQuery("a")).tokens, 24);
  });

  test("run side by side", async () => {
    const bulk = encoder.encodeDocuments(Array(20).fill("text of a document"), { batchSize: 1 });
    let bulkEnded = false;
    void bulk.then(() => (bulkEnded = true));
    await encoder.encodeQuery("first");
    assert.equal(bulkEnded, false, "a query does not wait for all documents");
    assert.equal((await bulk).length, 20);
  });

  test("of the encoder's options are those of the calls, unless told otherwise", async () => {
    const own = await Encoder.load(modelFiles("tiny-bert", "model.onnx"), { queryLength: 10, batchSize: 2, queryExpansion: "off" });
    assert.equal(own.info.queryLength, 10);
    assert.equal((await own.encodeQuery("a", { queryExpansion: "on" })).tokens, 10);
    assert.equal((await own.encodeQuery("a", { tokenBudget: 100 })).tokens, 4);
    own.dispose();
    await assert.rejects(own.encodeQuery("a"), { code: "disposed" });
    assert.equal((await encoder.encodeQuery("a")).tokens, 24, "other encoders live on");
  });

  test("`using` disposes", async () => {
    const own = await Encoder.load(modelFolder("tiny-bert"));
    own[Symbol.dispose]();
    await assert.rejects(own.encodeQuery("a"), { code: "disposed" });
  });
});

test("the same model has the same space, in other ways of computing too", async () => {
  const again = await Encoder.load(modelFiles("tiny-bert", "model.onnx"), { wasm: "base" });
  assert.equal(again.info.fingerprint.space, encoder.info.fingerprint.space);
  const int8 = await Encoder.load(modelFolder("tiny-bert"));
  assert.notEqual(int8.info.fingerprint.space, encoder.info.fingerprint.space);
  again.dispose();
  int8.dispose();
});
