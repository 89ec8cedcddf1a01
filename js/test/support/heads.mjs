// Checks of dense and sparse encoders and of cross-encoders against the
// libraries that made their references, the same on every platform. A driver
// is `{ encode(kind, texts, options), predict(pairs, options) }`, whose results
// are plain: `{ values }`, `{ indices, values }`, `{ logits, scores }`.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compare } from "./compare.mjs";
import { hubFixtures, readSafetensors } from "./fixtures.mjs";

/** Names of the models of other kinds than multi-vector. */
export const headModels = readdirSync(hubFixtures).filter((name) => /^(dense|sparse|rerank)-/.test(name));

const TOLERANCE = {
  dense: 1e-5,
  "cross-encoder": 1e-5,
  // The references were computed in 32 bits and are up to 3.1e-5 from the same
  // models in 64 bits; these modules, without fused multiply-add, are up to 2.7e-5.
  sparse: 4e-5,
};
/** Weights below this may be there or not. */
const FAINT = 1e-4;

const KINDS = [
  ["query", "queries"],
  ["document", "documents"],
];

function reference(name) {
  const folder = join(hubFixtures, name);
  const texts = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8"));
  return { ...texts, tensors: readSafetensors(join(folder, "reference.safetensors")) };
}

const row = ({ data, shape: [, dim] }, at) => data.subarray(at * dim, (at + 1) * dim);

/** The largest difference in multiples of `max(1, |value|)`. */
function farthest(found, expected) {
  assert.equal(found.length, expected.length);
  return Math.max(...Array.from(expected, (value, at) => Math.abs(found[at] - value) / Math.max(1, Math.abs(value))));
}

const CHECKS = {
  dense({ values }, expected) {
    const { lowest } = compare(values, expected, expected.length);
    return 1 - lowest;
  },
  sparse({ indices, values }, expected) {
    const whole = new Float32Array(expected.length);
    for (const [at, index] of indices.entries()) whole[index] = values[at];
    const differing = Array.from(whole.keys()).filter((at) => (whole[at] === 0) !== (expected[at] === 0));
    assert.deepEqual(
      differing.filter((at) => Math.max(whole[at], expected[at]) >= FAINT),
      [],
    );
    return farthest(whole, expected);
  },
};

/** Compares all texts or pairs; returns the largest difference. */
export async function checkHead(driver, name, options = {}) {
  const { kind, queries, documents, tensors } = reference(name);
  let most = 0;
  const keep = (difference, what) => {
    assert.ok(difference <= TOLERANCE[kind], `${name}, ${what}: ${difference}`);
    most = Math.max(most, difference);
  };
  if (kind === "cross-encoder") {
    const pairs = queries.flatMap((query) => documents.map((document) => [query, document]));
    const found = await driver.predict(pairs, options);
    assert.equal(found.length, pairs.length);
    for (const output of ["logits", "scores"]) {
      const values = found.flatMap((one) => Array.from(one[output]));
      keep(farthest(values, tensors[output].data), output);
    }
    return most;
  }
  for (const [side, key] of KINDS) {
    const found = await driver.encode(side, reference(name)[key], options);
    assert.equal(found.length, tensors[key].shape[0]);
    for (const [at, one] of found.entries()) keep(CHECKS[kind](one, row(tensors[key], at)), `${key} ${at}`);
  }
  return most;
}

/** A driver over an encoder in this process. */
export function headDriver(encoder) {
  return {
    encode: (kind, texts, options) =>
      kind === "query" ? encoder.encodeQueries(texts, options) : encoder.encodeDocuments(texts, options),
    predict: (pairs, options) => encoder.predict(pairs, options),
  };
}
