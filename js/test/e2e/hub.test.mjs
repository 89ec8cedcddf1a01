// Models in the layouts of hubs, and a hub of another origin, in a real browser.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { hubFiles, hubFixtures, hubModels } from "../support/fixtures.mjs";
import { repository, startHub } from "../support/hub.mjs";
import { checkHubModel } from "../support/parity.mjs";
import { startServer } from "../support/server.mjs";
import { CSP } from "./support/browser.mjs";
import { buildProject } from "./support/built.mjs";
import { chosen, isNight, keepsCaches, launchChosen, openPage } from "./support/drivers/driver.mjs";

const ID = "org/mv-pylate-bert";
const WEIGHTS = "model.safetensors";
const repositories = {};
let project;
let app;
let models;
let hub;
let browser;
let page;

before(async () => {
  project = await buildProject();
  app = await startServer({ "/": project.dist }, { headers: { "content-security-policy": CSP } });
  models = await startServer({ "/": hubFixtures }, { cors: true });
  hub = await startHub(repositories);
  browser = await launchChosen();
});
after(async () => {
  await browser?.close();
  await Promise.all([app, models, hub].map((server) => server?.close()));
  project?.remove();
});
beforeEach(async () => {
  for (const name of hubModels) repositories[`org/${name}`] = repository(join(hubFixtures, name));
  for (const key of Object.keys(hub.faults)) delete hub.faults[key];
  // A profile of its own, with an empty cache.
  await page?.close();
  page = await openPage(browser, app.origin);
  hub.takeLog();
});

const call = (...args) => page.call(...args);
const fromHub = (id = ID, options = {}) => call("load", id, { endpoint: hub.origin, ...options });
const driver = {
  encode: async (kind, texts, options) =>
    (await call("encode", kind, texts, options)).map(({ data, dim }) => {
      const { buffer } = Uint8Array.from(Buffer.from(data, "base64"));
      return { data: new Float32Array(buffer), dim };
    }),
};

for (const options of [{}, ...(isNight ? [{ worker: false, wasm: "base" }] : [])]) {
  describe(JSON.stringify(options), () => {
    for (const name of hubModels) {
      test(name, async (context) => {
        const files = Object.entries(hubFiles(name)).map(([path, bytes]) => [path, Buffer.from(bytes)]);
        const base64 = Object.fromEntries(files.map(([path, bytes]) => [path, bytes.toString("base64")]));
        const sources = {
          address: (all) => call("load", `${models.origin}/${name}`, all),
          blobs: (all) => call("loadFiles", base64, all),
          id: (all) => fromHub(`org/${name}`, all),
        };
        const spaces = new Set();
        for (const [from, start] of Object.entries(sources)) {
          const loaded = await start({ ...options, precision: "fp32" });
          assert.equal(loaded.failed, undefined, JSON.stringify(loaded));
          spaces.add(loaded.info.fingerprint.space);
          context.diagnostic(`${from}, ${loaded.info.provider}: ${await checkHubModel(driver, name)}`);
        }
        assert.equal(spaces.size, 1);
        const { info } = await sources.address(options);
        assert.deepEqual([info?.precision, info?.quantization], ["int8", "at-load"]);
      });
    }
  });
}

test("a token reaches the hub alone", async () => {
  repositories[ID].token = "hub_secret";
  assert.deepEqual((await fromHub()).status, 401);
  hub.takeLog();
  const { info, code } = await fromHub(ID, { token: "hub_secret" });
  const log = hub.takeLog();
  // Firefox asks the storage before it goes there without the token, and this one gives strangers no answer.
  const isAsked = log.some(({ origin, method }) => origin === "storage" && method === "OPTIONS");
  if (isAsked) assert.deepEqual([code, chosen], ["network", "firefox"]);
  else assert.deepEqual(info?.hub, { id: ID, revision: "main", commit: hub.commitOf(ID), offline: false }, code);
  assert.ok(log.some(({ token }) => token === "Bearer hub_secret"));
  assert.ok(log.every(({ origin, token }) => origin === "api" || token === undefined));
});

test("the cache serves where the hub cannot be reached, and only there", async () => {
  await fromHub();
  hub.takeLog();
  const { phases } = await fromHub();
  assert.deepEqual(phases, ["cache"]);
  assert.equal(hub.takeLog().length, 1);
  hub.faults.status = 503;
  if (keepsCaches) await page.reload();
  const offline = await fromHub();
  assert.deepEqual([offline.info?.hub.offline, offline.phases], [true, ["cache"]]);
  for (const status of [401, 403, 404]) {
    hub.faults.status = status;
    assert.deepEqual((await fromHub()).status, status);
  }
});

test("a busy hub, and a broken transfer", async () => {
  hub.faults.busy = 1;
  hub.faults.cut = { [WEIGHTS]: 500_000 };
  assert.equal((await fromHub()).code, "network");
  delete hub.faults.cut;
  hub.takeLog();
  assert.equal((await fromHub(ID, { precision: "fp32" })).failed, undefined);
  const resumed = hub.takeLog().filter(({ path }) => path === WEIGHTS);
  assert.deepEqual(resumed.length, 1);
  assert.match(resumed[0].range, /^bytes=[1-9]\d*-$/);
  await checkHubModel(driver, "mv-pylate-bert");
});

test("deleting a model empties the cache", async () => {
  const options = { endpoint: hub.origin };
  await fromHub();
  assert.equal(await call("isCached", ID, options), true);
  await call("delete", ID, options);
  assert.equal(await call("isCached", ID, options), false);
  const left = await page.run('async () => (await (await caches.open("multivec")).keys()).length');
  assert.equal(left, 1);
});
