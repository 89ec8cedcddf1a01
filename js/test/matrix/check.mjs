// Whether an environment gives PyLate's vectors, and searches them.

import assert from "node:assert/strict";
import { launchChosen, openPage } from "../e2e/support/drivers/driver.mjs";
import { compare } from "../support/compare.mjs";
import { fixtures, reference } from "../support/fixtures.mjs";
import { startServer } from "../support/server.mjs";

const MODEL = "tiny-bert";
const { queries, tensors } = reference(MODEL);

export const texts = queries.map(({ text }) => text);
export const modelFolder = `${fixtures}/${MODEL}`;

/** Checks what `embed` of the app returned, or throws what failed. */
export function checkVectors(found) {
  assert.equal(found?.vectors?.length, texts.length, JSON.stringify(found));
  for (const [index, vectors] of found.vectors.entries()) {
    const { data, shape } = tensors[`queries.${index}`];
    const { difference } = compare(Float32Array.from(vectors), data, shape[1]);
    assert.ok(difference <= 1e-4, `query ${index}: ${difference}`);
  }
  const each = texts.map((_, index) => index);
  assert.deepEqual([found.shared, found.own], [each, each], "searches, by the encoder's worker and one of their own");
}

let models;
let browser;

/** The address of the model, which any origin may load. */
export async function modelAddress() {
  models ??= await startServer({ "/": fixtures }, { cors: true });
  return `${models.origin}/${MODEL}`;
}

/** Loads the page, and embeds in a worker, in place and, where `isolated`, on two threads. */
export async function checkPage(address, { isolated = true } = {}) {
  browser ??= await launchChosen();
  const source = await modelAddress();
  const page = await openPage(browser, address);
  try {
    for (const options of [{}, { worker: false }, ...(isolated ? [{ threads: 2 }] : [])]) {
      // Development servers reload pages when they have found a dependency.
      const run = () => page.run("(...all) => globalThis.embed(...all)", source, texts, options);
      const found = await run().catch(async (error) => {
        if (!/context|navigat|destroyed/i.test(String(error))) throw error;
        await page.until("() => globalThis.ready === true");
        return run();
      });
      checkVectors(found);
      if (options.threads !== undefined) assert.equal(found.threads, options.threads);
    }
  } catch (error) {
    throw new Error(`${error.message}\n${(await page.problems().catch(() => [])).join("\n")}`);
  } finally {
    await page.close();
  }
}

export async function end() {
  await browser?.close();
  await models?.close();
}
