// Encoders of each family, as exporters write them and tools rewrite them,
// against plain ONNX Runtime.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Encoder } from "../../dist/index.js";
import { compare } from "../support/compare.mjs";
import { family, familyModels } from "../support/fixtures.mjs";

/** The full stop and the comma, whose rows documents leave out. */
const SKIPPED = [8, 9];

/** The largest difference of a component: ONNX Runtime rounds what it computes to 16 bits. */
const BOUNDS = { float16: 0.03, "float16-output": 0.03 };

/** How much farther from the original rows quantized ones may be than those of ONNX Runtime, on average. */
const NOISE = 1.5;

/** The rows that are kept, of unit length. */
function expected({ data, shape: [, dim] }, ids, kept) {
  const rows = [...ids.keys()].filter((at) => kept(ids[at]));
  return rows.flatMap((at) => {
    const row = Array.from(data.subarray(at * dim, (at + 1) * dim));
    const norm = Math.hypot(...row);
    return row.map((value) => value / norm);
  });
}

/** The mean distance of the rows of two matrices. */
function distance(found, wanted, dim) {
  let sum = 0;
  for (let at = 0; at < wanted.length; at += dim) {
    sum += Math.hypot(...wanted.slice(at, at + dim).map((value, column) => value - found[at + column]));
  }
  return (sum * dim) / wanted.length;
}

/** All rows of the texts of a kind, encoded together and alone. */
async function encoded(encoder, kind, texts) {
  const encode = (found) => (kind === "documents" ? encoder.encodeDocuments(found) : encoder.encodeQueries(found));
  const together = await encode(texts.map(({ text }) => text));
  const alone = [];
  for (const { text } of texts) alone.push(...(await encode([text])));
  return { together, alone };
}

async function check(encoder, name, kind) {
  const { texts, rows } = family(name);
  const kept = (id) => kind === "queries" || !SKIPPED.includes(id);
  const ids = texts[kind].flatMap((text) => text.ids);
  const wanted = expected(rows[kind], ids, kept);
  const original = rows[`${kind}.original`];
  for (const [how, embeddings] of Object.entries(await encoded(encoder, kind, texts[kind]))) {
    const dim = rows[kind].shape[1];
    const found = embeddings.flatMap(({ data }) => Array.from(data));
    if (original === undefined) {
      const { difference } = compare(found, wanted, dim);
      assert.ok(difference <= (BOUNDS[name.split("/")[0]] ?? 1e-5), `${kind} ${how}: ${difference}`);
    } else {
      // Rows are quantized one by one, not a text at a time.
      const plain = expected(original, ids, kept);
      const [ours, theirs] = [distance(found, plain, dim), distance(wanted, plain, dim)];
      assert.ok(ours <= NOISE * theirs, `${kind} ${how}: ${ours}, ONNX Runtime ${theirs}`);
    }
  }
}

for (const name of familyModels) {
  test(name, async () => {
    const { files, isRefused } = family(name);
    const loading = Encoder.load(files, { wasm: "base" });
    if (isRefused) return assert.rejects(loading);
    const encoder = await loading;
    try {
      for (const kind of ["documents", "queries"]) await check(encoder, name, kind);
    } finally {
      encoder.dispose();
    }
  });
}
