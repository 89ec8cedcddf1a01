// The example of hybrid search, built and used with small models, whose
// rankings are found once more in Node.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { CrossEncoder, DenseEncoder, Encoder, maxSimMany, rankScores, reciprocalRankFusion } from "../../dist/index.js";
import { corpus } from "../../examples/search/corpus.js";
import { demoModel, hubFixtures } from "../support/fixtures.mjs";
import { checkAccess, FIELD, openExample, serveExample, untilReady } from "./support/example.mjs";

const QUERY = "why do loaves of bread rise";
const MODELS = { dense: "dense-bert-cls", reranker: "rerank-bert" };

/** The positions of passages that the page should show. */
async function expected() {
  const texts = corpus.map(({ text }) => text);
  const dense = await DenseEncoder.load(join(hubFixtures, MODELS.dense));
  const vector = await dense.encodeQuery(QUERY);
  const scores = (await dense.encodeDocuments(texts)).map((document) => vector.similarity(document));
  const encoder = await Encoder.load(demoModel);
  const sums = maxSimMany(await encoder.encodeQuery(QUERY), await encoder.encodeDocuments(texts));
  const fused = reciprocalRankFusion([rankScores(scores), rankScores(sums)]).slice(0, 10);
  const reranker = await CrossEncoder.load(join(hubFixtures, MODELS.reranker));
  const ranking = await reranker.rank(
    QUERY,
    fused.map(({ index }) => texts[index]),
  );
  for (const one of [dense, encoder, reranker]) one.dispose();
  return { fused, order: ranking.map(({ index }) => fused[index].index) };
}

test("the example fuses two rankings and ranks the best again", async (context) => {
  const served = await serveExample(context, "hybrid", { "/fixtures/": hubFixtures });
  const models = Object.entries(MODELS).map(([name, folder]) => [name, `./fixtures/${folder}/`]);
  // One of the three is missing at first.
  const missing = "/fixtures/rerank-bert/model.safetensors";
  served.app.behaviour.set(missing, { status: 503 });
  const { page, problems } = await openExample(served, { query: `?${new URLSearchParams(models)}` });
  await page.waitForSelector("[role=alert]", { timeout: 60_000 });
  assert.match(await page.textContent("[role=alert]"), /cannot be loaded.*503/s);
  served.app.behaviour.delete(missing);
  await page.click("text=Try again");
  await untilReady(page);
  await checkAccess(page, "start");
  await page.click(`text=${QUERY}`);
  assert.equal(await page.inputValue(FIELD), QUERY);
  await page.waitForSelector(".result");
  await checkAccess(page, "results");
  const found = await page.locator(".result").evaluateAll((items) => items.map((item) => Number(item.dataset.index)));
  const { fused, order } = await expected();
  const candidates = new Set(fused.map(({ index }) => index));
  // Page and Node may run builds that round INT8 differently.
  const shared = found.filter((index) => candidates.has(index));
  assert.equal(found.length, 10);
  assert.ok(shared.length >= 8, `${found} instead of ${order}`);
  const rank = (index) => order.indexOf(index);
  const ordered = shared.flatMap((one, at) => shared.slice(at + 1).map((other) => rank(one) < rank(other)));
  const agreeing = ordered.filter(Boolean).length / ordered.length;
  assert.ok(agreeing > 0.8, `${found} instead of ${order}`);
  const texts = await page.locator(".result .text").allTextContents();
  assert.ok(texts.some((text) => /yeast/.test(text)));
  assert.match(await page.textContent(".result .ranks"), /^dense \d+, multi-vector \d+, fused \d+$/);
  context.diagnostic(`${agreeing} of pairs in the order of Node`);
  assert.deepEqual(problems, []);
});
