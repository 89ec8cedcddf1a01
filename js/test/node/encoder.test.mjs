// Embeddings, tokens, scores and calls, in Node.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Embedding, Encoder, matches, maxSim, maxSimMany, rank, rerank, similarity } from "../../dist/index.js";
import { modelFiles, modelFolder } from "../support/fixtures.mjs";

const TEXT = "naïve 🚀 café, tokens!";
let encoder;
before(async () => {
  encoder = await Encoder.load(modelFolder("tiny-bert"), { precision: "fp32" });
});
after(() => encoder.dispose());

describe("tokens of an embedding", () => {
  test("spans slice JavaScript strings", async () => {
    const [embedding] = await encoder.encodeDocuments([TEXT]);
    const joined = [];
    for (let row = 0; row < embedding.tokens; row += 1) {
      const [token, ...others] = embedding.rowTokens(row);
      assert.deepEqual(others, []);
      assert.notEqual(token.text, "");
      if (token.role === "text") joined.push(TEXT.slice(...token.span));
      else assert.equal(token.span, null);
    }
    assert.equal(joined.join(""), "naïve🚀cafétokens", "punctuation is on the skiplist");
    const [[special], [prefix]] = [embedding.rowTokens(0), embedding.rowTokens(1)];
    assert.deepEqual([special.role, special.text], ["special", "[CLS]"]);
    assert.equal(prefix.role, "prefix");
  });

  test("pooled rows have several", async () => {
    const [whole] = await encoder.encodeDocuments([TEXT]);
    const [pooled] = await encoder.encodeDocuments([TEXT], { poolFactor: 3 });
    assert.ok(pooled.tokens < whole.tokens);
    const members = Array.from({ length: pooled.tokens }, (_, row) => pooled.rowTokens(row).length);
    assert.equal(
      members.reduce((sum, one) => sum + one),
      whole.tokens,
    );
  });

  test("truncation is reported", async () => {
    const [short, long] = await encoder.encodeDocuments(["one", "word ".repeat(100)]);
    assert.equal(short.truncation.truncated, false);
    assert.deepEqual(long.truncation, {
      keptTokens: 61,
      droppedTokens: long.truncation.droppedTokens,
      truncated: true,
    });
    assert.ok(long.truncation.droppedTokens >= 39);
  });

  test("tokenize agrees, and includes tokens that are not kept", async () => {
    const [text] = await encoder.tokenize([TEXT], "document");
    const [embedding] = await encoder.encodeDocuments([TEXT]);
    assert.equal(text.kept.filter(Boolean).length, embedding.tokens);
    assert.equal(text.texts.length, text.ids.length);
    const kept = text.texts.filter((_, at) => text.kept[at]);
    assert.deepEqual(
      kept,
      Array.from(kept, (_, row) => embedding.rowTokens(row)[0].text),
    );
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

  test("of stored vectors have no tokens", () => {
    const stored = Embedding.fromRows(new Float32Array([1, 0, 0, 1]), 2);
    assert.deepEqual([stored.tokens, stored.truncation, stored.rowTokens(0)], [2, undefined, []]);
    assert.throws(() => Embedding.fromRows(new Float32Array(3), 2), { code: "dimension_mismatch" });
  });
});

describe("pooling", () => {
  const rowsOf = (embedding) =>
    Array.from({ length: embedding.tokens }, (_, row) => [Array.from(embedding.row(row)), embedding.rowTokens(row)]);

  test("gives what encoding with `poolFactor` gives", async () => {
    for (const options of [{ poolFactor: 2 }, { poolFactor: 3, protectedTokens: 4 }, { poolFactor: 1 }]) {
      const text = "naïve 🚀 café, tokens! ".repeat(3);
      const expected = await encoder.encodeDocument(text, options);
      const whole = await encoder.encodeDocument(text);
      const pooled = await encoder.pooled(whole, options);
      assert.deepEqual(rowsOf(pooled), rowsOf(expected));
      assert.deepEqual(pooled.truncation, expected.truncation);
      assert.equal(whole.data.length, whole.tokens * whole.dim, "the original stays");
    }
  });

  test("of a pooled embedding keeps all tokens", async () => {
    const whole = await encoder.encodeDocument(TEXT);
    const twice = await encoder.pooled(await encoder.pooled(whole, { poolFactor: 2 }), { poolFactor: 2 });
    const ids = Array.from({ length: twice.tokens }, (_, row) => twice.rowTokens(row)).flat();
    assert.equal(ids.length, whole.tokens);
  });

  test("of stored vectors works without tokens", async () => {
    const stored = Embedding.fromRows(new Float32Array([1, 0, 1, 0, 0, 1, 1, 0, 0, 1]), 2);
    const pooled = await encoder.pooled(stored, { poolFactor: 2 });
    assert.deepEqual(Array.from(pooled.data), [1, 0, 1, 0, 0, 1]);
    assert.deepEqual([pooled.rowTokens(1), pooled.truncation], [[], undefined]);
    const empty = await encoder.pooled(Embedding.fromRows(new Float32Array(), 2), { poolFactor: 2 });
    assert.deepEqual([empty.tokens, empty.dim], [0, 2]);
  });
});

test("vectors of another space are refused", () => {
  const { space } = encoder.info.fingerprint;
  encoder.checkSpace(space);
  assert.throws(() => encoder.checkSpace("0".repeat(32)), {
    name: "EncoderError",
    code: "fingerprint_mismatch",
    message: `fingerprint: expected space ${space}, found ${"0".repeat(32)}`,
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
    assert.deepEqual(matches(query, best), [
      { row: 0, score: 1 },
      { row: 1, score: 1 },
    ]);
    assert.deepEqual(matches(query, none), [
      { row: null, score: 0 },
      { row: null, score: 0 },
    ]);
    const order = rank(query, [half, best, half, none]).map(({ index }) => index);
    assert.deepEqual(order, [1, 0, 2, 3], "equal scores in order");
    assert.throws(() => rank(query, [half, matrix(2, NaN, NaN)]), { code: "non_finite_vector", message: /document 1/ });
  });

  test("many scores keep the order; candidates are ranked", () => {
    const documents = [matrix(2, 0.5, 0.5), matrix(2, 1, 0, 0, 1), matrix(2, 1, 0), matrix(2, 1, 0)];
    assert.deepEqual(maxSimMany(query, documents), [1, 2, 1, 1]);
    assert.deepEqual(rerank(query, documents, [3, 0, 1]), [
      { index: 1, score: 2 },
      { index: 3, score: 1 },
      { index: 0, score: 1 },
    ]);
    assert.deepEqual(rerank(query, documents, []), []);
    for (const candidate of [4, -1, 0.5]) {
      assert.throws(() => rerank(query, documents, [0, candidate]), {
        code: "invalid_option",
        message: `option \`candidates\`: expected positions below 4, found ${candidate}`,
      });
    }
  });

  test("similarity has every product", () => {
    const { data, rows, columns } = similarity(query, matrix(2, 1, 2, 3, 4, 5, 6));
    assert.deepEqual([rows, columns, Array.from(data)], [2, 3, [1, 3, 5, 2, 4, 6]]);
    assert.deepEqual(similarity(query, matrix(2)), { data: new Float32Array(), rows: 2, columns: 0 });
  });

  test("negative products count", () => {
    assert.equal(maxSim(matrix(2, 1, 0), matrix(2, -1, 0)), -1);
  });

  test("dimensions must agree", () => {
    assert.throws(() => maxSim(query, matrix(1, 1)), { code: "dimension_mismatch" });
    assert.throws(() => similarity(query, matrix(1, 1)), { code: "dimension_mismatch" });
    assert.throws(() => rerank(query, [query, matrix(1, 1)], [1]), {
      code: "dimension_mismatch",
      message: /document 1/,
    });
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
    assert.deepEqual(
      events,
      [1, 2, 3].map((done) => ({ done, total: 3 })),
    );
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

  test("run concurrently", async () => {
    const bulk = encoder.encodeDocuments(Array(20).fill("text of a document"), { batchSize: 1 });
    let bulkEnded = false;
    void bulk.then(() => (bulkEnded = true));
    await encoder.encodeQuery("first");
    assert.equal(bulkEnded, false, "a query does not wait for all documents");
    assert.equal((await bulk).length, 20);
  });

  test("override the options of the encoder", async () => {
    const own = await Encoder.load(modelFiles("tiny-bert", "model.onnx"), {
      queryLength: 10,
      batchSize: 2,
      queryExpansion: "off",
    });
    assert.equal(own.info.queryLength, 10);
    assert.equal((await own.encodeQuery("a", { queryExpansion: "on" })).tokens, 10);
    assert.equal((await own.encodeQuery("a", { tokenBudget: 100 })).tokens, 4);
    own.dispose();
    await assert.rejects(own.encodeQuery("a"), { code: "disposed" });
    await assert.rejects(own.pooled(Embedding.fromRows(new Float32Array(2), 2), { poolFactor: 2 }), {
      code: "disposed",
    });
    assert.equal((await encoder.encodeQuery("a")).tokens, 24, "other encoders live on");
  });

  test("`using` disposes", async () => {
    const own = await Encoder.load(modelFolder("tiny-bert"));
    own[Symbol.dispose]();
    await assert.rejects(own.encodeQuery("a"), { code: "disposed" });
  });
});

test("the embedding space depends on the model, not on how it is computed", async () => {
  const again = await Encoder.load(modelFiles("tiny-bert", "model.onnx"), { wasm: "base" });
  assert.equal(again.info.fingerprint.space, encoder.info.fingerprint.space);
  const int8 = await Encoder.load(modelFolder("tiny-bert"));
  assert.notEqual(int8.info.fingerprint.space, encoder.info.fingerprint.space);
  again.dispose();
  int8.dispose();
});
