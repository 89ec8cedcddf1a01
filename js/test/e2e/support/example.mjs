// An example page, built, served and opened.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { startServer } from "../../support/server.mjs";
import { launch } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const FIELD = "#search textarea";

/** Builds and serves the example `name`; `mounts` are further folders by paths. */
export async function serveExample(context, name, mounts = {}) {
  const ends = [];
  context.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const outDir = mkdtempSync(join(tmpdir(), `multivec-${name}-`));
  ends.push(() => rmSync(outDir, { recursive: true }));
  const root = fileURLToPath(new URL(`../../../examples/${name}/`, import.meta.url));
  await build({ root, logLevel: "error", build: { outDir, emptyOutDir: true } });
  const app = await startServer({ ...mounts, "/": outDir });
  ends.push(() => app.close());
  const browser = await launch();
  ends.push(() => browser.close());
  return { root, outDir, app, browser };
}

/** A page of a profile of its own; `problems` collects errors that nothing caught. */
export async function openExample({ app, browser }, { query = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 760 }, colorScheme: "light", ...options });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(`${app.origin}/${query}`);
  return { page, context, problems };
}

export async function untilReady(page) {
  await page.waitForSelector(`${FIELD}:enabled`, { timeout: 120_000 });
}

/** No violation of axe-core's rules, in light and dark, wide and narrow. */
export async function checkAccess(page, state) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const size = page.viewportSize();
  for (const [colorScheme, width] of [
    ["light", size.width],
    ["dark", 390],
  ]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ ...size, width });
    const { violations, incomplete } = await page.evaluate(() => globalThis.axe.run());
    // What axe cannot tell counts as well, except for contrast over gradients and the like.
    const found = [...violations, ...incomplete].map(({ id, nodes }) => [
      id,
      nodes.map(({ html, any }) => [html, any.map(({ message }) => message)]),
    ]);
    assert.deepEqual(found, [], `${state}, ${colorScheme}, ${width} px: ${JSON.stringify(found, null, 1)}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${state}, ${width} px: ${overflow} px too wide`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
}
