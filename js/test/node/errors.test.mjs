// Every error that can be provoked in Node, in place.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as multivec from "../../dist/index.js";
import { misbehave, runErrorCases } from "../support/error-cases.mjs";
import { modelFiles, modelFolder } from "../support/fixtures.mjs";
import { startServer } from "../support/server.mjs";

let server;
before(async () => {
  server = await startServer({});
  misbehave(server);
});
after(() => server.close());

test("each has its code, and leaves the encoder as it was", async () => {
  const files = modelFiles("tiny-bert", "model.onnx");
  const outcomes = await runErrorCases(multivec, { files, origin: server.origin, refused: "http://127.0.0.1:9", options: {} });
  const wrong = outcomes.filter(({ code, expected, tokens }) => code !== expected || tokens !== 24);
  assert.deepEqual(wrong, []);
  assert.match(outcomes.find(({ name }) => name === "operators that do not exist").message, /Softest, Transport/);
});

test("what Node alone can get wrong", async () => {
  const { Encoder } = multivec;
  await assert.rejects(Encoder.load("/nowhere/at/all"), { code: "missing_file" });
  await assert.rejects(Encoder.load({ ...modelFiles("tiny-bert"), model: modelFolder("tiny-bert") }), { code: "io" });
  await assert.rejects(Encoder.load(modelFolder("tiny-bert"), { worker: true }), { code: "unsupported" });
  await assert.rejects(Encoder.load(modelFolder("tiny-bert"), { wasmBase: `${server.origin}/nowhere/` }), { code: "http" });
});
