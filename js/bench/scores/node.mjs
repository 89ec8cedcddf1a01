// Scores in this Node, one thread: `node bench/scores/node.mjs [base|relaxed] [rounds]`. Needs the built package.

import * as multivec from "../../dist/index.js";
import { Encoder } from "../../dist/index.js";
import { modelFiles } from "../../test/support/fixtures.mjs";
import { plain } from "./loop.js";
import { measure } from "./measure.js";

const [wasm = "base", rounds = "15"] = process.argv.slice(2);
// Without an encoder in this thread, functions would be measured without WebAssembly.
const encoder = await Encoder.load(modelFiles("tiny-bert"), { wasm });
await measure(multivec, plain, { options: { wasm }, rounds: Number(rounds), log: console.log });
encoder.dispose();
