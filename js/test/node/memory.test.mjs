// How much WebAssembly memory a model takes.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { demoModel } from "../support/fixtures.mjs";

// In sizes of the model's file. Memory never shrinks, so that it shows the peak.
const MOST = 1.6;

const memories = [];
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...args) => {
  const made = await instantiate(...args);
  const { memory } = (made.instance ?? made).exports;
  if (memory !== undefined) memories.push(memory);
  return made;
};
// Imported late, so that it uses the function above.
const { Encoder } = await import("../../dist/index.js");

const bytes = (name) => new Uint8Array(readFileSync(join(demoModel, name)));
const size = statSync(join(demoModel, "model_int8.onnx")).size;

test("the demo model and a text of 300 tokens", async (context) => {
  const files = {
    model: bytes("model_int8.onnx"),
    tokenizer: bytes("tokenizer.json"),
    config: bytes("onnx_config.json"),
  };
  const encoder = await Encoder.load(files);
  const largest = () => Math.max(...memories.map(({ buffer }) => buffer.byteLength)) / size;
  const loaded = largest();
  const [document] = await encoder.encodeDocuments(["word ".repeat(400)], { documentLength: 300 });
  assert.equal(document.tokens, 300);
  const encoded = largest();
  context.diagnostic(`${loaded.toFixed(2)} times the file when loaded, ${encoded.toFixed(2)} after the text`);
  assert.ok(loaded > 1, `${loaded}: the model is in this memory`);
  assert.ok(encoded <= MOST, `${encoded} times the file`);
  encoder.dispose();
});
