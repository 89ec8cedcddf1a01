// Checks of models of several kinds against FlagEmbedding's results, the same
// on every platform. A driver is `{ encode(kind, texts, options) }`, whose
// results are plain: `{ dense, indices, values, tokens }`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hubFixtures, readSafetensors } from "./fixtures.mjs";

export const HYBRID = "hybrid-xlmr";
const TOLERANCE = 1e-5;

const KINDS = [
  ["query", "queries"],
  ["document", "documents"],
];

const folder = join(hubFixtures, HYBRID);
/** The texts of each kind, and what is expected of each. */
export const references = KINDS.map(([kind, key]) => {
  const texts = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8"))[key];
  const tensors = readSafetensors(join(folder, "reference.safetensors"));
  const expected = texts.map((_, at) => {
    const of = (name) => tensors[`${key}.${at}.${name}`].data;
    return { dense: of("dense"), indices: of("indices"), values: of("values"), tokens: of("tokens") };
  });
  return { kind, texts, expected };
});

/** The largest difference in multiples of `max(1, |value|)`. */
export function farthest(found, expected) {
  assert.equal(found.length, expected.length);
  const differences = Array.from(expected, (value, at) => Math.abs(found[at] - value) / Math.max(1, Math.abs(value)));
  return differences.reduce((most, one) => Math.max(most, one), 0);
}

function row({ indices, values }, size) {
  const whole = new Float32Array(size);
  for (const [at, index] of indices.entries()) whole[Number(index)] = values[at];
  return whole;
}

/** The largest difference of weights, which rounding may move over 0. */
export function farthestWeight(found, expected) {
  const size = 1 + Math.max(0, ...found.indices, ...Array.from(expected.indices, Number));
  return farthest(row(found, size), row(expected, size));
}

/** Compares all texts; returns the largest difference. */
export async function checkHybrid(driver, options = {}) {
  let most = 0;
  for (const { kind, texts, expected } of references) {
    const found = await driver.encode(kind, texts, options);
    assert.equal(found.length, texts.length);
    for (const [at, one] of found.entries()) {
      const differences = {
        dense: farthest(one.dense, expected[at].dense),
        sparse: farthestWeight(one, expected[at]),
        tokens: farthest(one.tokens, expected[at].tokens),
      };
      const largest = Math.max(...Object.values(differences));
      assert.ok(largest <= TOLERANCE, `${kind} ${at}: ${JSON.stringify(differences)}`);
      most = Math.max(most, largest);
    }
  }
  return most;
}

/** A driver over an encoder in this process. */
export function hybridDriver(encoder) {
  return {
    async encode(kind, texts, options) {
      const method = kind === "query" ? "encodeQueries" : "encodeDocuments";
      const found = await encoder[method](texts, options);
      return found.map(({ dense, sparse: { indices, values }, multiVector }) => {
        return { dense: dense.values, indices, values, tokens: multiVector.data };
      });
    },
  };
}
