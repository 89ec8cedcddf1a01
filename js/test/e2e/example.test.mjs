// The example page, built and used. With UPDATE_SCREENSHOT=1 it also takes
// the README's picture.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { startServer } from "../support/server.mjs";
import { launch } from "./support/browser.mjs";

const example = fileURLToPath(new URL("../../examples/search/", import.meta.url));

test("the example finds passages and shows which words matched", async (context) => {
  const ends = [];
  context.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const outDir = mkdtempSync(join(tmpdir(), "multivec-example-"));
  ends.push(() => rmSync(outDir, { recursive: true }));
  await build({ root: example, logLevel: "error", build: { outDir, emptyOutDir: true } });
  const app = await startServer({ "/": outDir });
  ends.push(() => app.close());
  const browser = await launch();
  ends.push(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 900, height: 760 }, colorScheme: "light" });
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(app.origin);
  await page.waitForSelector("#query:enabled", { timeout: 120_000 });
  await page.fill("#query", "why do loaves of bread rise");
  await page.waitForSelector(".result mark");
  const first = await page.textContent(".result .text");
  assert.match(first, /yeast/);
  assert.ok((await page.locator(".result mark").count()) > 4);
  await page.fill("#query", "how do animals find their way without seeing");
  await page.waitForFunction(() => /Bees|Bats|Salmon/.test(document.querySelector(".result .text")?.textContent ?? ""));
  context.diagnostic((await page.textContent("#timings")).replaceAll("ms", "ms;"));
  if (process.env.UPDATE_SCREENSHOT) {
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: join(example, "screenshot.png") });
  }
  assert.deepEqual(problems, []);
});
