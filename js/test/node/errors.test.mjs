// Every error that a test can cause in Node.

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

test("every error has its code and leaves the encoder usable", async () => {
  const files = modelFiles("tiny-bert", "model.onnx");
  const outcomes = await runErrorCases(multivec, {
    files,
    origin: server.origin,
    refused: "http://127.0.0.1:9",
    options: {},
  });
  const wrong = outcomes.filter(({ code, expected, tokens }) => code !== expected || tokens !== 24);
  assert.deepEqual(wrong, []);
  assert.match(
    outcomes.find(({ name }) => name === "operators that do not exist").message,
    /Softest \(2 nodes.*Transport \(8 nodes/,
  );
});

test("messages name the option, what was expected and what was found", async () => {
  const encoder = await multivec.Encoder.load(modelFiles("tiny-bert", "model.onnx"));
  const stored = multivec.Embedding.fromRows(new Float32Array(4), 2);
  const encode = (options, texts = ["a"]) => encoder.encodeDocuments(texts, options);
  const pooled = (options) => encoder.pooled(stored, options);
  for (const [call, message] of [
    [() => encode({ queryLength: "8" }), 'option `queryLength`: expected a whole number, found string "8"'],
    [() => encode({ documentLength: 1.5 }), "option `documentLength`: expected a whole number, found number `1.5`"],
    [() => encode({ tokenBudget: -1 }), "option `tokenBudget`: expected a whole number, found number `-1.0`"],
    [
      () => encode({ batchSize: 2 ** 40 }),
      "option `batchSize`: expected a whole number, found integer `1099511627776`",
    ],
    [() => encode({ poolFactor: null }), "option `poolFactor`: expected a whole number, found null"],
    [() => encode({ poolFactor: 0 }), "option `poolFactor`: expected 1 or more, found 0"],
    [() => encode({ batchSize: 0 }), "option `batchSize`: expected 1 or more, found 0"],
    [
      () => encode({ queryExpansion: "yes" }),
      "option `queryExpansion`: expected one of `model`, `on`, `off`, found `yes`",
    ],
    [
      () => encode({ queryExpansion: true }),
      "option `queryExpansion`: expected `model`, `on` or `off`, found boolean `true`",
    ],
    [() => encode({ truncation: 1 }), "option `truncation`: expected `truncate` or `error`, found number `1.0`"],
    [() => encode({ truncation: null }), "option `truncation`: expected `truncate` or `error`, found null"],
    [
      () => encode({ batchSize: 1, tokenBudget: 1 }),
      "option `batchSize`: expected no `tokenBudget` beside it, found both",
    ],
    [() => encode({}, "text"), "option `texts`: expected an array of strings, found `text`"],
    [() => encode({}, ["a", 7]), "option `texts`: expected an array of strings, found 7 at 1"],
    [() => encoder.tokenize(["a"], "title"), "option `kind`: expected `query` or `document`, found `title`"],
    [() => pooled({ poolFactor: 0 }), "option `poolFactor`: expected 1 or more, found 0"],
    [() => pooled({ poolFactor: "2" }), 'option `poolFactor`: expected a whole number, found string "2"'],
    [() => pooled({}), "option `options`: missing field `poolFactor`"],
    [() => pooled(2), "option `options`: expected an object, found 2"],
    [
      () => pooled({ factor: 2 }),
      "option `factor`: expected `poolFactor` or `protectedTokens`, found unknown field `factor`",
    ],
  ]) {
    await assert.rejects(call(), { name: "EncoderError", code: "invalid_option", message });
  }
  encoder.dispose();
});

test("errors that only Node has", async () => {
  const { Encoder } = multivec;
  await assert.rejects(Encoder.load("/nowhere/at/all"), { code: "missing_file" });
  await assert.rejects(Encoder.load({ ...modelFiles("tiny-bert"), model: modelFolder("tiny-bert") }), { code: "io" });
  await assert.rejects(Encoder.load(modelFolder("tiny-bert"), { worker: true }), { code: "unsupported" });
  await assert.rejects(Encoder.load(modelFolder("tiny-bert"), { wasmBase: `${server.origin}/nowhere/` }), {
    code: "http",
  });
});
