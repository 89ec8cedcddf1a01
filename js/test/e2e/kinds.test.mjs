// One model of each kind from a hub of another origin, in a real browser.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hubFixtures } from "../support/fixtures.mjs";
import { checkHead } from "../support/heads.mjs";
import { repository, startHub } from "../support/hub.mjs";
import { checkHybrid, HYBRID } from "../support/hybrid.mjs";
import { startServer } from "../support/server.mjs";
import { CSP } from "./support/browser.mjs";
import { buildProject } from "./support/built.mjs";
import { launchChosen, openPage } from "./support/drivers/driver.mjs";

const MODELS = { dense: "dense-bert-cls", sparse: "sparse-bert-splade", "cross-encoder": "rerank-bert" };
const ends = [];
let hub;
let page;

before(async () => {
  const project = await buildProject();
  ends.push(() => project.remove());
  const app = await startServer({ "/": project.dist }, { headers: { "content-security-policy": CSP } });
  ends.push(() => app.close());
  const models = [...Object.values(MODELS), HYBRID].map((name) => [`org/${name}`, repository(join(hubFixtures, name))]);
  hub = await startHub(Object.fromEntries(models));
  ends.push(() => hub.close());
  const browser = await launchChosen();
  ends.push(() => browser.close());
  page = await openPage(browser, app.origin);
});
after(async () => {
  for (const end of ends.reverse()) await end();
});

const call = (...args) => page.call(...args);
const driver = {
  encode: (kind, texts, options) => call("encodePlain", kind, texts, options),
  predict: (pairs, options) => call("predict", pairs, options),
};

for (const options of [{}, { worker: false, wasm: "base" }]) {
  for (const [kind, name] of Object.entries(MODELS)) {
    test(`${kind}, ${JSON.stringify(options)}`, async (context) => {
      const loaded = await call("loadAny", `org/${name}`, { endpoint: hub.origin, precision: "fp32", ...options });
      assert.equal(loaded.failed, undefined, JSON.stringify(loaded));
      assert.equal(loaded.info.kind, kind);
      const together = await checkHead(driver, name);
      const alone = await checkHead(driver, name, { batchSize: 1 });
      context.diagnostic(`${loaded.info.provider}: together ${together}, alone ${alone}`);
      const refused = await call("load", `org/${name}`, { endpoint: hub.origin, ...options });
      assert.equal(refused.code, "model_mismatch", JSON.stringify(refused));
    });
  }

  test(`hybrid, ${JSON.stringify(options)}`, async (context) => {
    const loaded = await call("loadAny", `org/${HYBRID}`, { endpoint: hub.origin, precision: "fp32", ...options });
    assert.equal(loaded.failed, undefined, JSON.stringify(loaded));
    assert.equal(loaded.info.kind, "hybrid");
    const driver = { encode: (kind, texts, options) => call("encodeHybrid", kind, texts, options) };
    const together = await checkHybrid(driver);
    const alone = await checkHybrid(driver, { batchSize: 1 });
    context.diagnostic(`${loaded.info.provider}: together ${together}, alone ${alone}`);
    const { info } = await call("load", `org/${HYBRID}`, { endpoint: hub.origin, precision: "fp32", ...options });
    assert.deepEqual([info.kind, info.dim], ["multi-vector", 24]);
  });
}

test("nothing was logged", async () => assert.deepEqual(await page.problems(), []));
