// Runs the examples for Node; `test/e2e/example.test.mjs` runs the page.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { modelFolder } from "../support/fixtures.mjs";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "multivec-examples-"));
});
after(() => rmSync(folder, { recursive: true }));

async function run(name, ...args) {
  const { stdout } = await promisify(execFile)(process.execPath, [join(examples, name), ...args]);
  return stdout;
}

test("encode-and-rank.mjs", async () => {
  const lines = (await run("encode-and-rank.mjs")).trimEnd().split("\n");
  assert.match(lines[0], /^tract .*int8$/);
  assert.match(lines[1], /^ *\d+\.\d\d Bees/);
  assert.ok(
    lines.some((line) => /^ *honey -> honey \([01]\.\d\d\)$/.test(line)),
    lines.join("\n"),
  );
});

test("store.mjs", async () => {
  const path = join(folder, "vectors.safetensors");
  assert.equal(await run("store.mjs", modelFolder("minilm-colbert"), path), `${path}: found bees\n`);
});

test("verify.mjs", async () => {
  assert.match(await run("verify.mjs"), /^ok {5}alone and in a batch \S+ apart\n$/);
  const both = await run("verify.mjs", modelFolder("tiny-bert"));
  assert.match(both, /^ok {5}alone.*\nok {5}mean cosine to FP32 0\.99\d+\n$/);
});

test("every example is run", () => {
  const names = readdirSync(examples).filter((name) => name.endsWith(".mjs"));
  assert.deepEqual(names, ["encode-and-rank.mjs", "store.mjs", "verify.mjs"]);
});
