// Runs the tests of the page in browsers: `node test/e2e/run.mjs firefox webkit`.
// All files run in Chromium. The others have what differs between browsers, or
// with `--all` every file that runs in any. With it, files leave nothing out.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = fileURLToPath(new URL("./", import.meta.url));
const all = readdirSync(here)
  .filter((name) => name.endsWith(".test.mjs"))
  .map((name) => join(here, name));
const { values, positionals } = parseArgs({ options: { all: { type: "boolean" } }, allowPositionals: true });
const differing = /(page|threads|scopes)\.test\.mjs$/;
const portable = all.filter((path) =>
  values.all ? readFileSync(path, "utf8").includes("launchChosen") : differing.test(path),
);
const options = ["--test-reporter=spec", "--test-concurrency=1", "--test-timeout=1800000"];

let failed = false;
for (const browser of positionals) {
  console.log(`==> ${browser}`);
  const { status } = spawnSync(process.execPath, ["--test", ...options, ...(browser === "chromium" ? all : portable)], {
    stdio: "inherit",
    env: { ...process.env, MULTIVEC_BROWSER: browser, ...(values.all && { MULTIVEC_THOROUGH: "1" }) },
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
