// Engines side by side in one session of the browser: `npm run bench`.
//
// `--quick` runs fewer rounds, `--only NAME` one model, whose part of the results
// it replaces. `--section NAME` is one of those below, whose results are in
// `target/bench/NAME.json`. Needs the built package and Chromium.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { load } from "../dist/index.js";
import { root } from "../test/support/fixtures.mjs";
import { startServer } from "../test/support/server.mjs";
import { ISOLATION, launch, openPage } from "./lib/browser.mjs";
import { checkEngines } from "./lib/check.mjs";
import { enginesFor } from "./lib/engines.mjs";
import { loadEngines, measureCase, measureColdStart, measureMemory } from "./lib/measure.mjs";
import { addresses, contentOf, isThere, modelsOf, serveModel, sizeOf } from "./lib/models.mjs";
import { textsOfLength } from "./lib/texts.mjs";

const here = fileURLToPath(new URL("./", import.meta.url));
const packageFolder = fileURLToPath(new URL("../", import.meta.url));
const bundles = join(root, "target/bench/web");

/** The kind of models of each section, and how the browser is started. */
const SECTIONS = {
  web: { kind: "multi-vector", vnni: "used" },
  // As on x86 that has no AVX-VNNI.
  "web-without-vnni": { kind: "multi-vector", vnni: "left alone" },
  "web-dense": { kind: "dense", vnni: "used" },
};

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    section: { type: "string", default: "web" },
  },
});
const section = SECTIONS[options.section];
if (section === undefined) {
  throw new Error(`--section: expected one of ${Object.keys(SECTIONS).join(", ")}, found ${options.section}`);
}
const results = join(root, "target/bench", `${options.section}.json`);
const rounds = options.quick ? { single: 5, batch: 1, cold: 2 } : { single: 20, batch: 5, cold: 7 };

/** The peers, which the package's users never get. */
function installPeers() {
  const stamp = join(here, "node_modules/.installed-lock");
  const lock = readFileSync(join(here, "package-lock.json"), "utf8");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" });
  writeFileSync(stamp, lock);
}

/** transformers.js has bare imports, which a page cannot resolve. */
async function bundlePeers() {
  await build({
    stdin: { contents: 'export * from "@huggingface/transformers";', resolveDir: here },
    outfile: join(bundles, "transformers.js"),
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["onnxruntime-web-use-extern-wasm"],
    minify: true,
    logLevel: "error",
  });
}

async function measure(browser, server, model) {
  console.log(`${model.name}, ${sizeOf(model)} bytes`);
  serveModel(model, server);
  const told = addresses(model, server.origin);
  // Only to find texts; what is measured runs in the browser.
  const encoder = await load(contentOf(model), { precision: model.precision });
  const page = await openPage(browser, server.origin);
  const { loaded: engines, skipped } = await loadEngines(page, told, enginesFor(model.kind, cpus().length));
  const reference = await checkEngines(page, model, engines, encoder);
  for (const count of model.batches) {
    for (const length of model.lengths) {
      const texts = await textsOfLength(encoder, length, count);
      await measureCase(page, engines, texts, count === 1 ? rounds.single : rounds.batch);
    }
  }
  await measureMemory(page, engines);
  const [text] = await textsOfLength(encoder, 32, 1);
  encoder.dispose();
  await page.end();
  await measureColdStart(browser, server.origin, { model: told, engines, text, rounds: rounds.cold });
  return {
    name: model.name,
    bytes: sizeOf(model),
    reference,
    engines: engines.map(({ module, settings, name, ...found }) => found),
    skipped,
  };
}

/** The part of all cores that is busy while this process waits, 0 to 1. */
async function busyCores() {
  const times = () => cpus().map(({ times }) => times);
  const total = (all, names) => all.reduce((sum, one) => sum + names.reduce((part, name) => part + one[name], 0), 0);
  const before = times();
  await pause(2000);
  const after = times();
  const passed = (names) => total(after, names) - total(before, names);
  return 1 - passed(["idle"]) / passed(["user", "nice", "sys", "idle", "irq"]);
}

/** With the extension that decides which instructions engines have for relaxed products on x86; Linux alone tells. */
function processor() {
  const [{ model }] = cpus();
  const info = existsSync("/proc/cpuinfo") ? readFileSync("/proc/cpuinfo", "utf8") : "";
  const hasVnni = /\bavx_vnni\b/.test(info) && section.vnni === "used";
  return hasVnni ? `${model} (AVX-VNNI)` : model;
}

function machine(browser, others) {
  const version = (name) => JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8")).version;
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: processor(),
    cores: cpus().length,
    browser: `Chromium ${browser.version()}`,
    onnxruntimeWeb: version("onnxruntime-web"),
    transformers: version("@huggingface/transformers"),
    others,
    quick: options.quick,
  };
}

installPeers();
await bundlePeers();
const server = await startServer(
  {
    "/page/": join(here, "page"),
    "/multivec/": packageFolder,
    "/onnxruntime/": join(here, "node_modules/onnxruntime-web/dist"),
    "/bundled/": bundles,
  },
  { headers: ISOLATION },
);
const others = await busyCores();
const browser = await launch(section.vnni === "used" ? [] : ["--js-flags=--no-enable-avx-vnni"]);
try {
  const models = modelsOf(section.kind);
  const wanted = options.only === undefined ? models : models.filter(({ name }) => name === options.only);
  if (wanted.length === 0)
    throw new Error(`--only: expected one of ${models.map(({ name }) => name).join(", ")}, found ${options.only}`);
  const missing = wanted.filter((model) => !isThere(model)).map(({ name, missing }) => `${name}: ${missing}`);
  const kept =
    options.only !== undefined && existsSync(results) ? JSON.parse(readFileSync(results, "utf8")).models : [];
  const found = {
    machine: machine(browser, others),
    models: kept.filter(({ name }) => name !== options.only),
    missing,
  };
  for (const model of wanted.filter(isThere)) found.models.push(await measure(browser, server, model));
  const order = models.map(({ name }) => name);
  found.models.sort((left, right) => order.indexOf(left.name) - order.indexOf(right.name));
  mkdirSync(join(root, "target/bench"), { recursive: true });
  writeFileSync(results, `${JSON.stringify(found, undefined, 1)}\n`);
  console.log(results);
} finally {
  await browser.close();
  await server.close();
}
