// Models that were once refused, or taken wrongly.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Encoder } from "../../dist/index.js";
import { compare } from "../support/compare.mjs";
import { fixtures } from "../support/fixtures.mjs";

const TEXT = "Bees make honey, and plants turn light into food.";
const load = (name) => Encoder.load(join(fixtures, "failing", name), { wasm: "base" });

for (const [name, precision] of [
  // A bare transformer beside a Dense module, which is applied.
  ["01-bare-onnx-beside-dense", "fp32"],
  ["02-mve-6.2-config", "fp32"],
  ["04-tract-extra-outputs", "fp32"],
  ["09-fp16-output", "fp16"],
  ["10-int32-inputs", "fp32"],
  ["11-position-ids", "fp32"],
  ["12-tract-conv", "fp32"],
  ["13-tract-slice-symbolic", "fp32"],
  ["14-tract-xmod", "fp32"],
  ["15-tract-com-microsoft", "fp32"],
  ["16-tract-nbits8", "fp32"],
]) {
  test(`${name} loads with the promised columns`, async () => {
    const encoder = await load(name);
    assert.equal(encoder.info.precision, precision);
    const alone = await encoder.encodeDocument(TEXT);
    const [, batched] = await encoder.encodeDocuments(["Short.", TEXT]);
    assert.equal(alone.dim, 32);
    assert.ok(compare(alone.data, batched.data, alone.dim).difference < 1e-4);
    encoder.dispose();
  });
}

test("outputs that leave a choice are listed", () =>
  assert.rejects(load("03-first-of-two-outputs"), (error) => {
    assert.equal(error.code, "model_mismatch");
    assert.match(error.message, /`last_hidden_state` \[batch, length, 64\].*`colbert_vecs` \[batch, length, 32\]/);
    return true;
  }));

test("where padding changes vectors, texts are not padded", async () => {
  const encoder = await load("08-padding-changes-vectors");
  assert.equal(encoder.info.padding, "avoided");
  const alone = await encoder.encodeDocument(TEXT);
  const [, batched] = await encoder.encodeDocuments(["Short.", TEXT]);
  assert.ok(compare(alone.data, batched.data, alone.dim).difference < 1e-5);
  encoder.dispose();
});
