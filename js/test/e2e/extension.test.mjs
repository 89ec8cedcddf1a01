// The example extension, built and loaded into Chromium.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startServer } from "../support/server.mjs";
import { ARGS } from "./support/browser.mjs";

const build = fileURLToPath(new URL("../../examples/extension/build.mjs", import.meta.url));
const TITLES = { "/bread": "How yeast makes dough rise", "/paris": "The city on the Seine", "/bees": "Beekeeping" };
const QUERY = "capital of France";

test("the extension finds tabs, in its popup's worker and in its service worker", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "multivec-extension-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const extension = join(folder, "extension");
  execFileSync(process.execPath, [build, extension]);
  const site = await startServer({});
  context.after(() => site.close());
  for (const [path, title] of Object.entries(TITLES)) {
    site.behaviour.set(path, { body: `<!doctype html><title>${title}</title>`, type: "text/html" });
  }
  const browser = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    ignoreDefaultArgs: ["--disable-extensions"],
    args: [
      ...ARGS,
      `--disable-extensions-except=${extension}`,
      `--load-extension=${extension}`,
      "--disable-features=DisableLoadExtensionCommandLineSwitch",
    ],
  });
  context.after(() => browser.close());
  for (const path of Object.keys(TITLES)) await (await browser.newPage()).goto(site.origin + path);
  const [background] = browser.serviceWorkers();
  const { host } = new URL((background ?? (await browser.waitForEvent("serviceworker", { timeout: 120_000 }))).url());
  const popup = await browser.newPage();
  const problems = [];
  popup.on("pageerror", (error) => problems.push(String(error)));
  await popup.goto(`chrome-extension://${host}/popup.html`);
  await popup.waitForSelector("#query:enabled", { timeout: 120_000 });
  assert.equal(popup.workers().length, 1);
  await popup.fill("#query", QUERY);
  await popup.waitForSelector("#results button");
  assert.equal(await popup.textContent("#results button"), TITLES["/paris"]);
  // Its own page is a tab too.
  const found = await popup.evaluate((query) => chrome.runtime.sendMessage({ query }), QUERY);
  assert.equal(found[0]?.title, TITLES["/paris"], JSON.stringify(found));
  assert.ok(found.length >= 4 && found[0].score > found[1].score);
  assert.deepEqual(problems, []);
});
