// The encoder in Node, in both WebAssembly builds, against PyLate.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { relaxedSimd } from "wasm-feature-detect";
import * as multivec from "../../dist/index.js";
import { modelFolder } from "../support/fixtures.mjs";
import { checkPooling, checkScores, checkTokens, checkVectors, INT8_BOUNDS, localDriver } from "../support/parity.mjs";

// Node 20 has relaxed SIMD behind a flag; browsers test it as well.
const builds = (await relaxedSimd()) ? ["base", "relaxed"] : ["base"];

for (const wasm of builds) {
  for (const name of ["tiny-bert", "tiny-modernbert"]) {
    describe(`${name}, FP32, ${wasm}`, () => {
      let encoder;
      let driver;
      before(async () => {
        encoder = await multivec.Encoder.load(modelFolder(name), { precision: "fp32", wasm });
        driver = localDriver(encoder, multivec);
      });
      after(() => encoder.dispose());

      test("tokens", () => checkTokens(driver, name));
      test("vectors", async (context) => {
        const found = await checkVectors(driver, name, { difference: 1e-4, lowest: 0.99999 });
        context.diagnostic(JSON.stringify(found));
      });
      test("vectors, one text a batch", () => checkVectors(driver, name, { difference: 1e-4 }, { batchSize: 1 }));
      test("pooling", () => checkPooling(driver, name, 1e-3));
      test("scores", () => checkScores(driver, name, 1e-3));
      test("info", () => {
        assert.equal(encoder.info.provider, wasm === "base" ? "wasm-simd128" : "wasm-relaxed-simd");
        assert.equal(encoder.info.precision, "fp32");
        assert.equal(encoder.info.dim, 32);
        assert.match(encoder.info.fingerprint.space, /^[0-9a-f]{32}$/);
      });
    });
  }

  describe(`minilm-colbert, INT8, ${wasm}`, () => {
    let encoder;
    let driver;
    before(async () => {
      encoder = await multivec.Encoder.load(modelFolder("minilm-colbert"), { wasm });
      driver = localDriver(encoder, multivec);
    });
    after(() => encoder.dispose());

    test("tokens", () => checkTokens(driver, "minilm-colbert"));
    test("vectors", async (context) => {
      const found = await checkVectors(driver, "minilm-colbert", INT8_BOUNDS[encoder.info.provider]);
      context.diagnostic(`INT8 against FP32: ${JSON.stringify(found)}`);
    });
  });
}
