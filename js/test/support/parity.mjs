// Checks against PyLate's results, the same on every platform. A driver is
// `{ encode(kind, texts, options), tokenize(kind, texts), maxSim(query, document) }`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compare } from "./compare.mjs";
import { hubFixtures, readSafetensors, reference } from "./fixtures.mjs";

const KINDS = [
  ["query", "queries"],
  ["document", "documents"],
];

/** Token ids and attention masks must be equal. */
export async function checkTokens(driver, name) {
  const expected = reference(name);
  for (const [kind, key] of KINDS) {
    const found = await driver.tokenize(
      kind,
      expected[key].map(({ text }) => text),
    );
    for (const [index, { input_ids, attention_mask }] of expected[key].entries()) {
      assert.deepEqual(Array.from(found[index].ids), input_ids, `${key} ${index}`);
      assert.deepEqual(found[index].attention.map(Number), attention_mask, `${key} ${index}`);
    }
  }
}

/**
 * Bounds on cosines of the demo model's INT8 vectors, by provider: with relaxed
 * SIMD activations have 7 bits, and two scales a row.
 */
export const INT8_BOUNDS = {
  "wasm-simd128": { mean: 0.998, lowest: 0.99 },
  "wasm-relaxed-simd": { mean: 0.9975, lowest: 0.985 },
};

/**
 * Compares the vectors of all texts. `bounds` is `{ difference, lowest, mean }`,
 * each optional. Returns what was measured.
 */
export async function checkVectors(driver, name, bounds, options = {}) {
  const { tensors, ...texts } = reference(name);
  const all = { difference: 0, lowest: 1, mean: 0 };
  let rows = 0;
  for (const [kind, key] of KINDS) {
    const found = await driver.encode(
      kind,
      texts[key].map(({ text }) => text),
      options,
    );
    for (const [index, { data, dim }] of found.entries()) {
      const { data: expected, shape } = tensors[`${key}.${index}`];
      assert.deepEqual([data.length / dim, dim], shape, `${key} ${index}`);
      const one = compare(data, expected, dim);
      all.difference = Math.max(all.difference, one.difference);
      all.lowest = Math.min(all.lowest, one.lowest);
      all.mean += one.mean * shape[0];
      rows += shape[0];
    }
  }
  all.mean /= rows;
  const text = JSON.stringify(all);
  if (bounds.difference !== undefined) assert.ok(all.difference <= bounds.difference, text);
  if (bounds.lowest !== undefined) assert.ok(all.lowest >= bounds.lowest, text);
  if (bounds.mean !== undefined) assert.ok(all.mean >= bounds.mean, text);
  return all;
}

/**
 * Compares the rows of a model of hubs with those of the library that made it.
 * Those of 16-bit weights were computed in 16 bits, which moves components by up
 * to 4.2e-3; here weights are widened.
 */
export async function checkHubModel(driver, name) {
  const folder = join(hubFixtures, name);
  const texts = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8"));
  const tensors = readSafetensors(join(folder, "reference.safetensors"));
  const bound = name.endsWith("f16") ? 5e-3 : 1e-4;
  let most = 0;
  for (const [kind, key] of KINDS) {
    const found = await driver.encode(kind, texts[key]);
    assert.ok(found.length > 5);
    for (const [index, { data, dim }] of found.entries()) {
      const { data: expected, shape } = tensors[`${key}.${index}`];
      assert.deepEqual([data.length / dim, dim], shape, `${name} ${key} ${index}`);
      const { difference } = compare(data, expected, dim);
      assert.ok(difference <= bound, `${name} ${key} ${index}: ${difference}`);
      most = Math.max(most, difference);
    }
  }
  return most;
}

/** Compares pooled documents. Of FP32 only: INT8 can move a row to another cluster. */
export async function checkPooling(driver, name, tolerance) {
  const { tensors, documents } = reference(name);
  for (const poolFactor of [2, 3]) {
    const found = await driver.encode(
      "document",
      documents.map(({ text }) => text),
      { poolFactor },
    );
    for (const [index, { data, dim }] of found.entries()) {
      const { data: expected, shape } = tensors[`documents.${index}.pool${poolFactor}`];
      assert.deepEqual([data.length / dim, dim], shape, `document ${index}, factor ${poolFactor}`);
      const { difference } = compare(data, expected, dim);
      assert.ok(difference <= tolerance, `document ${index}, factor ${poolFactor}: ${difference}`);
    }
  }
}

/** Compares the scores of all pairs. */
export async function checkScores(driver, name, tolerance) {
  const { tensors, queries, documents } = reference(name);
  const { data: expected, shape } = tensors.maxsim;
  const left = await driver.encode(
    "query",
    queries.map(({ text }) => text),
  );
  const right = await driver.encode(
    "document",
    documents.map(({ text }) => text),
  );
  assert.deepEqual([left.length, right.length], shape);
  let most = 0;
  for (const [row, query] of left.entries()) {
    for (const [column, document] of right.entries()) {
      const score = driver.maxSim(query, document);
      most = Math.max(most, Math.abs(score - expected[row * shape[1] + column]));
    }
  }
  assert.ok(most <= tolerance, `maxsim differs by ${most}`);
  return most;
}

/** A driver over an encoder in this process. */
export function localDriver(encoder, { maxSim }) {
  return {
    encode: (kind, texts, options) =>
      kind === "query" ? encoder.encodeQueries(texts, options) : encoder.encodeDocuments(texts, options),
    tokenize: (kind, texts) => encoder.tokenize(texts, kind),
    maxSim,
  };
}
