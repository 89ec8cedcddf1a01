// Vectors from a store: fewer bytes, products and fusion of rankings.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  DenseEmbedding,
  Embedding,
  fromFloat16,
  int8Ranges,
  reciprocalRankFusion,
  SparseEmbedding,
  toBinary,
  toFloat16,
  toInt8,
} from "../../dist/index.js";

const dense = (values, by) => DenseEmbedding.fromValues(Float32Array.from(values), by);

// The same cases as in `src/dense/quantize.rs`.
describe("quantization", () => {
  test("levels are those of the ranges", () => {
    const ranges = int8Ranges(
      [
        [0, -1],
        [2.55, 1],
        [1, 0],
      ].map((values) => dense(values)),
    );
    const levels = (values) => Array.from(toInt8(dense(values), ranges));
    assert.deepEqual(levels([0, -1]), [-128, -128]);
    assert.deepEqual(levels([2.56, 1.1]), [127, 127]);
    assert.deepEqual(levels([-5, 0]), [-128, -1]);
    assert.deepEqual(levels([1.005, 0]), [-28, -1]);
  });

  test("columns that do not vary have one level", () => {
    const same = [dense([3]), dense([3])];
    const ranges = int8Ranges(same);
    assert.deepEqual(Array.from(toInt8(same[0], ranges)), [-128]);
    assert.throws(() => int8Ranges(same.slice(1)), { code: "invalid_option" });
    assert.throws(() => toInt8(dense([1, 2]), ranges), { code: "dimension_mismatch" });
  });

  test("signs fill bytes from the highest bit", () => {
    const found = toBinary(dense([1, -1, 0, 2, 1, 1, 1, -3, 5]));
    assert.deepEqual(Array.from(found), [0b1001_1110, 0b1000_0000]);
  });
});

// The same cases as in `src/dense/quantize.rs`, and all 16-bit floats.
describe("16-bit floats", () => {
  test("values are rounded to the nearest", () => {
    const cases = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [0.1, 0x2e66],
      [65504, 0x7bff],
      [65519, 0x7bff],
      [65520, 0x7c00],
      [-Infinity, 0xfc00],
      [NaN, 0x7e00],
      // Halves of steps, whose even neighbours are below and above.
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [2 ** -14, 0x0400],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [3 * 2 ** -25, 2],
      [3e-8, 1],
    ];
    const found = toFloat16(dense(cases.map(([value]) => value)));
    for (const [at, [value, expected]] of cases.entries()) {
      assert.equal(Number.isNaN(value) ? found[at] & 0x7fff : found[at], expected, String(value));
    }
  });

  test("every one is read and written", () => {
    const all = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
    const values = fromFloat16(all);
    const again = toFloat16(Embedding.fromRows(values, 64));
    for (const [bits, value] of values.entries()) {
      if (!Number.isNaN(value)) assert.equal(again[bits], bits);
    }
    assert.ok(values.every((value, bits) => Number.isNaN(value) === (bits & 0x7fff) > 0x7c00));
    const { Float16Array } = globalThis;
    if (Float16Array === undefined) return;
    assert.deepEqual(values, Float32Array.from(new Float16Array(all.buffer)));
    const random = Float32Array.from({ length: 1 << 14 }, () => (Math.random() - 0.5) * 2 ** (40 * Math.random() - 26));
    assert.deepEqual(toFloat16(dense(random)), new Uint16Array(Float16Array.from(random).buffer));
  });
});

test("similarities are their definitions", () => {
  const [left, right] = [
    [1, 2, 2],
    [2, 0, 3],
  ];
  const found = (by) => dense(left, by).similarity(dense(right, by));
  assert.equal(found("dot"), 8);
  assert.ok(Math.abs(found("cosine") - 8 / (3 * Math.sqrt(13))) < 1e-12);
  assert.equal(found("euclidean"), -Math.sqrt(6));
  assert.equal(found("manhattan"), -4);
});

test("sparse vectors from a store are checked, and multiplied as whole rows", () => {
  const sparse = (indices, values, dim = 4) =>
    SparseEmbedding.fromWeights(Uint32Array.from(indices), Float32Array.from(values), dim);
  const [left, right] = [sparse([1, 2, 3], [2, 3, 0.5]), sparse([0, 1, 3], [1, 4, 2])];
  assert.equal(left.dot(right), 9);
  assert.deepEqual(Array.from(left.topK(2).indices), [1, 2]);
  assert.equal(left.topK(0).length, 0);
  assert.throws(() => left.dot(sparse([0], [1], 1)), { code: "dimension_mismatch" });
  assert.throws(() => sparse([3, 1], [1, 2]), { code: "invalid_option" });
  assert.throws(() => sparse([1, 1], [1, 2]), { code: "invalid_option" });
  assert.throws(() => sparse([1, 4], [1, 2]), { code: "invalid_option" });
  assert.throws(() => sparse([1], [1, 2]), { code: "dimension_mismatch" });
});

// The same cases as in `src/fusion.rs`.
test("rankings are fused by reciprocal ranks", () => {
  const order = (found) => found.map(({ index }) => index);
  const found = reciprocalRankFusion([
    [3, 1, 2],
    [{ index: 1 }, { index: 4 }],
  ]);
  assert.deepEqual(order(found), [1, 3, 4, 2]);
  assert.ok(Math.abs(found[0].score - (1 / 62 + 1 / 61)) < 1e-7);
  const twice = reciprocalRankFusion(
    [
      [5, 5, 7],
      [7, 5],
    ],
    0,
  );
  assert.deepEqual([twice[0].index, twice[0].score, twice[1].score], [5, 1.5, Math.fround(Math.fround(1 / 3) + 1)]);
  assert.deepEqual(order(reciprocalRankFusion([[2], [1]])), [1, 2]);
});
