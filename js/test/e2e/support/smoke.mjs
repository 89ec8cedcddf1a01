// A smoke test of a built page: it loads and encodes in worker and page.

import assert from "node:assert/strict";
import { reference } from "../../support/fixtures.mjs";
import { compare } from "../../support/compare.mjs";
import { openPage } from "./browser.mjs";

export async function smoke(browser, url, models) {
  const { page, context, problems } = await openPage(browser, url);
  const { queries, tensors } = reference("tiny-bert");
  for (const worker of [true, false]) {
    const found = await page.evaluate(
      async ([source, worker, texts]) => {
        const loaded = await globalThis.api.load(source, { worker, precision: "fp32" });
        return { loaded, embeddings: loaded.failed ? [] : await globalThis.api.encode("query", texts) };
      },
      [models, worker, queries.map(({ text }) => text)],
    );
    assert.equal(found.loaded.failed, undefined, JSON.stringify(found.loaded));
    for (const [index, { data, dim }] of found.embeddings.entries()) {
      const vectors = new Float32Array(Uint8Array.from(Buffer.from(data, "base64")).buffer);
      const { difference } = compare(vectors, tensors[`queries.${index}`].data, dim);
      assert.ok(difference <= 1e-4, `query ${index}: ${difference}`);
    }
  }
  assert.deepEqual(problems, []);
  await context.close();
}
