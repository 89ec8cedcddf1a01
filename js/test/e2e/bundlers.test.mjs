// The packed package built as the README says; `test/matrix/` has bundlers and
// runtimes in their versions.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as esbuild from "esbuild";
import { build } from "vite";
import { demoModel, fixtures } from "../support/fixtures.mjs";
import { readmeCode } from "../support/readme.mjs";
import { startServer } from "../support/server.mjs";
import { CSP, ISOLATION, launch } from "./support/browser.mjs";
import { makeProject } from "./support/packed.mjs";
import { smoke } from "./support/smoke.mjs";

let project;
let models;
let browser;
before(async () => {
  project = makeProject();
  models = await startServer({ "/demo/": demoModel, "/": fixtures }, { cors: true });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await models?.close();
  project?.remove();
});

const src = (name) => join(project.folder, "src", name);

/** Serves a folder with the page, whose script is at `script`, and runs the smoke test. */
async function serve(folder, script, headers = { "content-security-policy": CSP, ...ISOLATION }) {
  const html = readFileSync(src("index.html"), "utf8").replace("./main.js", script);
  writeFileSync(join(folder, "index.html"), html);
  const app = await startServer({ "/": folder }, { headers });
  try {
    await smoke(browser, app.origin, `${models.origin}/tiny-bert`);
  } finally {
    await app.close();
  }
}

test("esbuild, with the worker as an entry of its own and the .wasm files copied", async () => {
  const folder = join(project.folder, "esbuild");
  const found = await esbuild.build({
    absWorkingDir: project.folder,
    entryPoints: { main: src("main.js"), worker: "multivec/worker" },
    outdir: join(folder, "assets"),
    bundle: true,
    format: "esm",
    minify: true,
    logLevel: "silent",
  });
  assert.deepEqual(found.warnings, []);
  cpSync(join(project.folder, "node_modules/multivec/wasm"), join(folder, "wasm"), { recursive: true });
  await serve(folder, "./assets/main.js");
});

test("the README's quick start, in Vite", async () => {
  const [code] = readmeCode({ "/models/minilm-colbert/": `${models.origin}/demo/` });
  const root = join(project.folder, "readme");
  mkdirSync(root);
  cpSync(src("index.html"), join(root, "index.html"));
  writeFileSync(join(root, "main.js"), code);
  await build({ root, logLevel: "error" });
  const app = await startServer({ "/": join(root, "dist") }, { headers: { "content-security-policy": CSP } });
  const page = await browser.newPage();
  const lines = [];
  page.on("console", (message) => lines.push(message.text()));
  await page.goto(app.origin);
  await page.waitForEvent("console", { predicate: (message) => /^0 /.test(message.text()) });
  const [first, second] = lines.filter((line) => /^\d \d/.test(line));
  assert.match(first, /^1 /);
  assert.match(second, /^0 /);
  await page.close();
  await app.close();
});

test("importing it on a server has no effect", () => {
  const script = `
    const before = Object.keys(globalThis).length;
    globalThis.fetch = () => { throw new Error("fetched"); };
    await import("multivec");
    console.log(Object.keys(globalThis).length - before);
  `;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: project.folder,
    encoding: "utf8",
  });
  assert.equal(output.trim(), "0");
});
