// Scores and corpora against plain loops.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Corpus, Embedding, Encoder, matches, maxSim, maxSimMany, rank, rerank, similarity } from "../../dist/index.js";
import { modelFiles } from "../support/fixtures.mjs";
import { plainProducts, plainScore, randomMatrix, randoms } from "../support/vectors.mjs";

const TOLERANCE = 1e-4;
const near = (found, expected, tolerance = TOLERANCE) =>
  assert.ok(Math.abs(found - expected) <= tolerance, `${found}, not ${expected}`);

/** The definition: positions by descending score, equal ones in order. */
const ranking = (scores) =>
  scores.map((score, index) => ({ index, score })).sort((left, right) => right.score - left.score);

/** Queries and documents of several sizes, some without rows. */
function* cases() {
  const random = randoms(7);
  for (const dim of [1, 3, 16, 48, 65, 128, 300]) {
    const query = randomMatrix(random, Math.floor(random() * 40), dim);
    const documents = Array.from({ length: 30 }, (_, at) => randomMatrix(random, at % 7 === 3 ? 0 : 1 + at, dim));
    yield { dim, query, documents };
  }
  const dim = 32;
  yield { dim, query: randomMatrix(random, 5, dim), documents: [randomMatrix(random, 8192, dim)] };
  yield { dim, query: randomMatrix(random, 0, dim), documents: [randomMatrix(random, 4, dim)] };
}

/** What functions that use WebAssembly and those that do not have in common. */
function checkFunctions() {
  for (const { query, documents } of cases()) {
    const expected = documents.map((document) => plainScore(query, document));
    const found = maxSimMany(query, documents);
    for (const [at, score] of found.entries()) near(score, expected[at]);
    assert.deepEqual(rank(query, documents), ranking(found));
    const candidates = documents.map((_, at) => (at * 7) % documents.length).slice(0, 9);
    const picked = candidates.map((index) => ({ index, score: found[index] }));
    assert.deepEqual(
      rerank(query, documents, candidates),
      picked.sort((left, right) => right.score - left.score),
    );
    for (const document of documents.slice(0, 5)) {
      near(maxSim(query, document), plainScore(query, document));
      const { data, rows, columns } = similarity(query, document);
      assert.deepEqual([rows, columns], [query.tokens, document.tokens]);
      const products = plainProducts(query, document);
      for (const [at, product] of data.entries()) near(product, products[at]);
      for (const [row, match] of matches(query, document).entries()) {
        const of = data.subarray(row * columns, (row + 1) * columns);
        const best = of.indexOf(Math.max(...of));
        assert.deepEqual(match, columns === 0 ? { row: null, score: 0 } : { row: best, score: of[best] });
      }
    }
  }
  const one = (...values) => Embedding.fromRows(Float32Array.from(values), 2);
  const [query, good] = [one(1, 0), one(0.5, 0.5)];
  // Behind a better row, and within a larger buffer.
  assert.throws(() => maxSimMany(query, [good, one(1, 0, NaN, 0)]), {
    code: "non_finite_vector",
    message: /^document 1: .*NaN in row 1/,
  });
  assert.throws(() => rerank(query, [good, good, one(0, Infinity)], [1, 2]), { message: /^document 2: / });
  assert.throws(() => maxSim(one(1, 0, 0, NaN), good), {
    code: "invalid_option",
    message: "option `query`: expected finite numbers, found NaN in row 1",
  });
  assert.throws(() => rank(one(3e38, 3e38), [good, one(3e38, 3e38)]), { message: /^document 1: .*products/ });
  assert.equal(maxSim(query, { data: Float32Array.of(0.5, 0, NaN, NaN), tokens: 1, dim: 2 }), 0.5);
  assert.deepEqual(maxSimMany(query, []), []);
}

test("functions before there is a module", checkFunctions);

describe("with an encoder", () => {
  let encoder;
  before(async () => {
    encoder = await Encoder.load(modelFiles("tiny-bert"));
  });
  after(() => encoder?.dispose());

  test("functions use its module", checkFunctions);

  test("its own rank as the functions do", async () => {
    for (const { query, documents } of cases()) {
      assert.deepEqual(await encoder.maxSimMany(query, documents), maxSimMany(query, documents));
      assert.deepEqual(await encoder.rank(query, documents), rank(query, documents));
      const candidates = [documents.length - 1, 0];
      assert.deepEqual(await encoder.rerank(query, documents, candidates), rerank(query, documents, candidates));
    }
    const [query, good] = [Embedding.fromRows(Float32Array.of(1), 1), Embedding.fromRows(Float32Array.of(2), 1)];
    const broken = Embedding.fromRows(Float32Array.of(NaN), 1);
    await assert.rejects(encoder.rank(query, [good, broken]), { message: /^document 1: / });
    await assert.rejects(encoder.rerank(query, [broken, good], [1, 2]), { code: "invalid_option" });
    const abort = new AbortController();
    abort.abort(new Error("enough"));
    await assert.rejects(encoder.rank(query, [good], { signal: abort.signal }), { message: "enough" });
  });

  test("a corpus of its space", async () => {
    const documents = await encoder.encodeDocuments(["Bees make honey.", "Rain falls."]);
    const corpus = await Corpus.from(documents, { encoder, ids: ["bees", "rain"] });
    assert.equal(corpus.fingerprint, encoder.info.fingerprint.space);
    const query = await encoder.encodeQuery("Who makes honey?");
    const found = await corpus.search(query, 5, { fingerprint: corpus.fingerprint });
    assert.deepEqual(
      found.map(({ index, score }) => ({ index, score })),
      rank(query, documents),
    );
    const bytes = await corpus.toBytes();
    corpus.dispose();
    await assert.rejects(corpus.search(query, 1), { code: "disposed" });
    const other = await Corpus.from(documents, { fingerprint: "other" });
    await assert.rejects(other.search(query, 1, { fingerprint: encoder.info.fingerprint.space }), {
      code: "fingerprint_mismatch",
    });
    const otherBytes = await other.toBytes();
    other.dispose();
    await assert.rejects(Corpus.fromBytes(otherBytes, { encoder }), { code: "fingerprint_mismatch" });
    const again = await Corpus.fromBytes(new Blob([bytes]), { encoder });
    assert.deepEqual(await again.search(query, 5), found);
    again.dispose();
  });
});

/** What a precision makes of a row, by definition. */
function stored(row, precision) {
  const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (precision === "int8") return row.map((value) => Math.round((value / largest) * 127) * (largest / 127));
  if (precision === "bits") return row.map((value) => (value >= 0 ? 1 : -1) / Math.sqrt(row.length));
  return row;
}

function meant(matrix, precision) {
  const rows = Array.from({ length: matrix.tokens }, (_, at) =>
    stored(matrix.data.subarray(at * matrix.dim, (at + 1) * matrix.dim), precision),
  );
  return Embedding.fromRows(Float32Array.from(rows.flatMap((row) => [...row])), matrix.dim);
}

describe("corpora", () => {
  // Queries are stored in integers where documents are in integers or bits.
  for (const [precision, ofQuery, tolerance] of [
    ["f32", "f32", 1e-4],
    ["f16", "f32", 1e-3],
    ["int8", "int8", 2e-3],
    ["bits", "int8", 2e-3],
  ]) {
    test(`${precision}: searches are rankings of what is stored`, async () => {
      for (const { dim, query, documents } of cases()) {
        const half = Math.floor(documents.length / 2);
        const ids = documents.map((_, at) => `${"§".repeat(at % 3)}${at % 5}`);
        const corpus = await Corpus.from(documents.slice(0, half), { precision, dim, ids: ids.slice(0, half) });
        await corpus.append(documents.slice(half), { ids: ids.slice(half) });
        assert.deepEqual([corpus.length, corpus.dim, corpus.precision], [documents.length, dim, precision]);
        assert.equal(
          corpus.rows,
          documents.reduce((sum, { tokens }) => sum + tokens, 0),
        );
        const queryMeant = meant(query, ofQuery);
        const expected = documents.map((document) => plainScore(queryMeant, meant(document, precision)));
        const all = await corpus.search(query, documents.length);
        assert.equal(all.length, documents.length);
        for (const [at, { index, score, id }] of all.entries()) {
          near(score, expected[index], tolerance * Math.max(1, query.tokens));
          assert.equal(id, ids[index]);
          const before = all[at - 1] ?? { score: Infinity };
          assert.ok(score < before.score || (score === before.score && index > before.index), "the order");
        }
        assert.deepEqual(await corpus.search(query, 3), all.slice(0, 3));
        const second = randomMatrix(randoms(3), 4, dim);
        const many = await corpus.searchMany([query, second], 4);
        assert.deepEqual(many, [await corpus.search(query, 4), await corpus.search(second, 4)]);
        const among = all.filter(({ id }) => id === "§4" || id === "0");
        assert.deepEqual(await corpus.search(query, 30, { among: ["0", "§4", "none"] }), among);
        assert.deepEqual(await corpus.rerank(query, [documents.length - 1]), [
          all.find(({ index }) => index === documents.length - 1),
        ]);
        const bytes = await corpus.toBytes();
        assert.equal(bytes.length, corpus.byteLength);
        corpus.dispose();
        const again = await Corpus.fromBytes(bytes);
        assert.deepEqual(await again.search(query, documents.length), all);
        again.dispose();
      }
    });
  }

  test("of many pieces, equal scores keep the order, and a signal ends a search between two", async () => {
    const random = randoms(1);
    const [few, query] = [randomMatrix(random, 500, 64), randomMatrix(random, 100, 64)];
    const documents = Array.from({ length: 60 }, () => few);
    const corpus = await Corpus.from(documents);
    const order = (await corpus.search(query, 60)).map(({ index }) => index);
    assert.deepEqual(
      order,
      documents.map((_, at) => at),
    );
    assert.deepEqual(
      (await corpus.rerank(query, [5, 3, 4, 3], 3)).map(({ index }) => index),
      [5, 3, 4],
    );
    const abort = new AbortController();
    setImmediate(() => abort.abort(new Error("enough")));
    await assert.rejects(corpus.search(query, 1, { signal: abort.signal }), { message: "enough" });
    // Others run on, and see a corpus as it was when they began.
    const [found] = await Promise.all([corpus.search(query, 100), corpus.append([few])]);
    assert.ok(found.length === 60 || found.length === 61);
    assert.equal((await corpus.search(query, 100)).length, 61);
    corpus.dispose();
    await assert.rejects(corpus.append([few]), { code: "disposed" });
  });

  test("what cannot be stored is refused by name, and nothing of its call is added", async () => {
    const good = Embedding.fromRows(Float32Array.of(1, 0), 2);
    const bad = Embedding.fromRows(Float32Array.of(1, 0, 0, NaN), 2);
    const corpus = await Corpus.from([good]);
    await assert.rejects(corpus.append([good, good, bad]), { code: "non_finite_vector", message: /^text 2: .*row 1/ });
    await assert.rejects(corpus.append([good, Embedding.fromRows(Float32Array.of(1), 1)]), {
      code: "dimension_mismatch",
      message: "document 1: expected dimension 2, found 1",
    });
    await assert.rejects(corpus.append([good], { ids: [] }), { code: "invalid_option", message: /`ids`/ });
    assert.equal(corpus.length, 1);
    await corpus.append([good]);
    assert.deepEqual(
      (await corpus.search(good, 9)).map(({ id }) => id),
      ["0", "1"],
    );
    const searching = { code: "invalid_option" };
    await assert.rejects(corpus.search(bad, 1), searching);
    await assert.rejects(corpus.search(good, -1), searching);
    await assert.rejects(corpus.search(good, 1, { among: [2] }), searching);
    await assert.rejects(corpus.search(good, 1, { among: [0.5] }), searching);
    await assert.rejects(corpus.search(Embedding.fromRows(Float32Array.of(1), 1), 1), { code: "dimension_mismatch" });
    corpus.dispose();
    await assert.rejects(Corpus.from([]), { code: "invalid_option", message: /`dim`/ });
    await assert.rejects(Corpus.from([good], { precision: "int4" }), {
      code: "invalid_option",
      message: /`precision`: expected .*bits`, found int4/,
    });
    const wide = Embedding.fromRows(new Float32Array(2000), 2000);
    await assert.rejects(Corpus.from([wide], { precision: "int8" }), {
      code: "invalid_option",
      message: /`precision`/,
    });
    await assert.rejects(Corpus.fromBytes(new Uint8Array(100)), { code: "invalid_file", message: /the corpus/ });
  });

  test("saved, opened and deleted", async () => {
    const cache = mkdtempSync(join(tmpdir(), "multivec-corpus-"));
    const stored = new Map();
    const own = {
      read: async (key) => stored.get(key),
      write: async (key, bytes) => void stored.set(key, bytes),
      remove: async (key) => void stored.delete(key),
    };
    const query = randomMatrix(randoms(2), 4, 24);
    for (const where of [cache, own]) {
      const corpus = await Corpus.from([randomMatrix(randoms(4), 9, 24), query], { precision: "f16" });
      const found = await corpus.search(query, 2);
      await corpus.save("some name/with signs", { cache: where });
      corpus.dispose();
      const opened = await Corpus.open("some name/with signs", { cache: where });
      assert.deepEqual(await opened.search(query, 2), found);
      opened.dispose();
      await Corpus.delete("some name/with signs", { cache: where });
      await assert.rejects(Corpus.open("some name/with signs", { cache: where }), { code: "missing_file" });
    }
    rmSync(cache, { recursive: true });
  });
});
