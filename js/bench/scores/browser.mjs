// Scores in Chromium, on one thread: `node bench/scores/browser.mjs [base|relaxed] [rounds]`. Needs the built package.

import { fileURLToPath } from "node:url";
import { launch, openPage } from "../../test/e2e/support/browser.mjs";
import { startServer } from "../../test/support/server.mjs";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const [wasm = "relaxed", rounds = "15"] = process.argv.slice(2);
const server = await startServer({ "/multivec/": at("../../"), "/": at("./") });
const browser = await launch();
const { page } = await openPage(browser, `${server.origin}/page.html`);
const lines = await page.evaluate(([wasm, rounds]) => globalThis.run(wasm, rounds), [wasm, Number(rounds)]);
for (const line of lines) console.log(line);
await browser.close();
await server.close();
