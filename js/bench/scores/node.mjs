// Scores in this Node, on one thread: `node bench/scores/node.mjs [base|relaxed] [rounds]`. Needs the built package.

import * as multivec from "../../dist/index.js";
import { measure } from "./measure.js";

const [wasm = "base", rounds = "15"] = process.argv.slice(2);
await measure(multivec, { wasm, rounds: Number(rounds), log: console.log });
