// Graphs with their weights in files of any name.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "../../dist/index.js";
import { fixtures, hubFiles } from "../support/fixtures.mjs";
import { checkHead, headDriver } from "../support/heads.mjs";
import { repository, startHub } from "../support/hub.mjs";
import { startServer } from "../support/server.mjs";

const MODEL = "rerank-qwen3";
const WEIGHTS = "weights.data";
const fp32 = { precision: "fp32", wasm: "base" };
const { "model.safetensors": weights, ...described } = hubFiles(MODEL);
// By the same number of letters, so that the graph stays one.
const graph = (name = WEIGHTS) => {
  assert.equal(name.length, WEIGHTS.length);
  const bytes = readFileSync(join(fixtures, "causal/past-18.onnx")).toString("latin1");
  assert.ok(bytes.includes(WEIGHTS));
  return new Uint8Array(Buffer.from(bytes.replaceAll(WEIGHTS, name), "latin1"));
};
const filesIn = (folder, name) => ({
  ...described,
  [join(folder, "model.onnx")]: graph(name),
  [join(folder, WEIGHTS)]: weights,
});

async function check(source, options) {
  const encoder = await load(source, { ...fp32, ...options });
  await checkHead(headDriver(encoder), MODEL);
  const { space } = encoder.info.fingerprint;
  encoder.dispose();
  return space;
}

for (const folder of ["", "onnx"]) {
  describe(`beside the graph in \`${folder || "."}\``, () => {
    const files = filesIn(folder);
    const at = join(folder, WEIGHTS);
    let root;
    let hub;
    let server;
    before(async () => {
      root = mkdtempSync(join(tmpdir(), "multivec-external-"));
      for (const [path, bytes] of Object.entries(files)) {
        mkdirSync(join(root, "model", dirname(path)), { recursive: true });
        writeFileSync(join(root, "model", path), bytes);
      }
      hub = await startHub({ "org/model": repository(join(root, "model")) });
      server = await startServer({ "/": root });
    });
    after(async () => {
      await Promise.all([hub.close(), server.close()]);
      rmSync(root, { recursive: true });
    });

    test("wherever the folder is", async () => {
      const blobs = Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, new Blob([bytes])]));
      const sources = [files, blobs, join(root, "model"), `${server.origin}/model`];
      const spaces = [];
      for (const source of sources) spaces.push(await check(source, { cache: false }));
      spaces.push(await check("org/model", { cache: false, endpoint: hub.origin }));
      assert.equal(new Set(spaces).size, 1);
    });

    test("from the cache", async () => {
      const options = { cache: join(root, "cache") };
      const source = `${server.origin}/model`;
      const first = await check(source, options);
      server.takeLog();
      assert.equal(await check(source, options), first);
      const sent = server.takeLog().filter(({ status, path }) => status === 200 && path.endsWith(at));
      assert.deepEqual(sent, []);
    });

    test("that is missing is named", async () => {
      const { [at]: _, ...others } = files;
      await assert.rejects(load(others, { ...fp32, cache: false }), { message: /`weights\.data`, which is not among/ });
      rmSync(join(root, "model", at));
      const source = `${server.origin}/model`;
      await assert.rejects(load(source, { ...fp32, cache: false }), { message: /`weights\.data`, which is not among/ });
    });
  });
}

test("files outside of the folder are not requested", async () => {
  const server = await startServer({ "/": fixtures }, { cors: true });
  try {
    const root = "/hub/inner/";
    for (const [path, body] of Object.entries(filesIn("", "../some.data"))) server.behaviour.set(root + path, { body });
    server.behaviour.set("/hub/some.data", { body: weights });
    const loading = load(server.origin + root, { ...fp32, cache: false });
    await assert.rejects(loading, { message: /`\.\.\/some\.data`, which is not among/ });
    assert.ok(!server.takeLog().some(({ path }) => path.endsWith(".data")));
  } finally {
    await server.close();
  }
});
