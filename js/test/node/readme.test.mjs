// Runs every code block of the README.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { demoModel, hubFixtures } from "../support/fixtures.mjs";
import { repository, startHub } from "../support/hub.mjs";
import { readmeCode } from "../support/readme.mjs";
import { startServer } from "../support/server.mjs";

const cwd = fileURLToPath(new URL("../../", import.meta.url));
// Small models of the same kinds.
const MODELS = {
  "lightonai/GTE-ModernColBERT-v1": "mv-pylate-modernbert",
  "sentence-transformers/all-MiniLM-L6-v2": "dense-bert-cls",
  "naver/splade-v3-distilbert": "sparse-distilbert-splade",
  "cross-encoder/ms-marco-MiniLM-L6-v2": "rerank-bert",
  "org/bge-m3": "hybrid-xlmr",
};
let server;
let hub;
let home;
before(async () => {
  server = await startServer({ "/demo/": demoModel });
  const models = Object.entries(MODELS).map(([id, name]) => [id, repository(join(hubFixtures, name))]);
  hub = await startHub(Object.fromEntries(models));
  home = mkdtempSync(join(tmpdir(), "multivec-home-"));
});
after(async () => {
  await Promise.all([server.close(), hub.close()]);
  rmSync(home, { recursive: true });
});

const EXPECTED = [
  /\n1 \d+\.\d\d\n0 \d+\.\d\d\n$/,
  /^[0-9a-f]{32}\n$/,
  /^true [0-9a-f]{40}\n$/,
  /^.+\. \d\.\d{3}\n.+\. \d\.\d{3}\n$/,
  /^\d 0\.0\d{3}\n\d 0\.0\d{3}\n$/,
  /^\w+ 0\.\d\d\n/,
  /^true\n\[ 1, 0 \]\ntrue\n$/,
  /^3 true\n$/,
  /^paris \d+\.\d\nrome \d+\.\d\n2\n$/,
  /^$/,
];

for (const [index, expected] of EXPECTED.entries()) {
  test(`block ${index}`, async () => {
    const codes = readmeCode({
      "/models/minilm-colbert/": `${server.origin}/demo/`,
      'revision: "main"': `revision: "main", endpoint: "${hub.origin}"`,
    });
    assert.equal(codes.length, EXPECTED.length);
    // In this folder, the package can be imported by its own name.
    const args = ["--input-type=module", "-e", codes[index]];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, HOME: home } });
    assert.match(stdout, expected);
  });
}
