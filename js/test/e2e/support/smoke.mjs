// A smoke test of a built page: loads and encodes in a worker, in the page, and
// on two threads.

import assert from "node:assert/strict";
import { compare } from "../../support/compare.mjs";
import { reference } from "../../support/fixtures.mjs";
import { openPage } from "./browser.mjs";

export async function smoke(browser, url, models) {
  const { page, context, problems } = await openPage(browser, url);
  const { queries, tensors } = reference("tiny-bert");
  for (const options of [{}, { worker: false }, { threads: 2 }]) {
    const found = await page.evaluate(
      async ([source, options, texts]) => {
        const loaded = await globalThis.api.load(source, { ...options, precision: "fp32" });
        return { loaded, embeddings: loaded.failed ? [] : await globalThis.api.encode("query", texts) };
      },
      [models, options, queries.map(({ text }) => text)],
    );
    assert.equal(found.loaded.failed, undefined, JSON.stringify(found.loaded));
    if (options.threads !== undefined) assert.equal(found.loaded.info.threads, options.threads);
    for (const [index, { data, dim }] of found.embeddings.entries()) {
      const vectors = new Float32Array(Uint8Array.from(Buffer.from(data, "base64")).buffer);
      const { difference } = compare(vectors, tensors[`queries.${index}`].data, dim);
      assert.ok(difference <= 1e-4, `query ${index}: ${difference}`);
    }
  }
  assert.deepEqual(problems, []);
  await context.close();
}
