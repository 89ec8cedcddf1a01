// Streams of texts, in Node.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Encoder } from "../../dist/index.js";
import { modelFolder } from "../support/fixtures.mjs";

let encoder;
before(async () => {
  encoder = await Encoder.load(modelFolder("tiny-bert"), { precision: "fp32" });
});
after(() => encoder.dispose());

/** Records how many texts are read, and whether the source was closed. */
function* counted(count, seen) {
  try {
    for (let index = 0; index < count; index += 1) {
      seen.read += 1;
      yield `text number ${index}`;
    }
  } finally {
    seen.closed = true;
  }
}

async function collect(stream) {
  const found = [];
  for await (const embedding of stream) found.push(embedding);
  return found;
}

const data = (embeddings) => embeddings.map(({ data }) => data);

describe("a stream", () => {
  test("gives what a call gives, from iterables and async iterables", async () => {
    const texts = [...counted(7, {})];
    async function* later() {
      for (const text of texts) {
        await new Promise((resolve) => setImmediate(resolve));
        yield text;
      }
    }
    const expected = data(await encoder.encodeDocuments(texts, { batchSize: 1 }));
    for (const source of [texts, new Set(texts), later()]) {
      const found = await collect(encoder.streamDocuments(source, { readAhead: 3, batchSize: 1 }));
      assert.deepEqual(data(found), expected);
    }
    const queries = data(await encoder.encodeQueries(texts, { queryLength: 8, batchSize: 1 }));
    assert.deepEqual(data(await collect(encoder.streamQueries(texts, { queryLength: 8, batchSize: 1 }))), queries);
    assert.deepEqual(await collect(encoder.streamDocuments([])), []);
  });

  test("reads at most `readAhead` texts ahead, and closes its source", async () => {
    const seen = { read: 0, closed: false };
    const stream = encoder.streamDocuments(counted(100, seen), { readAhead: 4 });
    assert.equal(seen.read, 0, "nothing is read before it is asked for");
    for (let index = 0; index < 5; index += 1) {
      await stream.next();
      assert.ok(seen.read <= 4 * (1 + Math.floor(index / 4)), `${seen.read} after ${index + 1}`);
    }
    await stream.return();
    assert.deepEqual(seen, { read: 8, closed: true });
    assert.deepEqual(await stream.next(), { value: undefined, done: true });
  });

  test("reads fewer texts ahead if they are long", async () => {
    let read = 0;
    function* long() {
      while (read < 10) {
        read += 1;
        yield "word ".repeat(100_000);
      }
    }
    const stream = encoder.streamDocuments(long());
    await stream.next();
    assert.equal(read, 3);
    await stream.return();
  });

  test("throws the reason of its signal, and closes its source", async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const seen = { read: 0 };
    let count = 0;
    const run = async () => {
      for await (const _ of encoder.streamDocuments(counted(100, seen), { readAhead: 2, signal: abort.signal })) {
        count += 1;
        if (count === 4) abort.abort(reason);
      }
    };
    await assert.rejects(run(), (error) => error === reason);
    assert.equal(count, 4);
    assert.ok(seen.closed);
    assert.ok(seen.read <= 6, `${seen.read}`);
    await assert.rejects(collect(encoder.streamQueries(["a"], { signal: AbortSignal.abort() })), {
      name: "AbortError",
    });
    assert.equal((await encoder.encodeQuery("a")).tokens, 24, "the encoder goes on");
  });

  test("counts positions in errors from its first text", async () => {
    const texts = ["a", "b", "c", "word ".repeat(100)];
    const found = [];
    const run = async (texts) => {
      found.length = 0;
      const stream = encoder.streamDocuments(texts, { readAhead: 2, truncation: "error" });
      for await (const embedding of stream) found.push(embedding);
    };
    await assert.rejects(run(texts), { code: "text_too_long", message: /^text 3: / });
    assert.equal(found.length, 2, "what came before was given");
    await assert.rejects(run(["a", "b", 7]), { code: "invalid_option", message: /found 7 at 2$/ });
    assert.equal(found.length, 2);
  });

  test("refuses other sources", async () => {
    for (const texts of ["text", 7, null, {}]) {
      await assert.rejects(collect(encoder.streamDocuments(texts)), { code: "invalid_option", message: /`texts`/ });
    }
    for (const readAhead of [0, 1.5, "2"]) {
      const message = /option `readAhead`: expected a whole number from 1/;
      await assert.rejects(collect(encoder.streamDocuments([], { readAhead })), { code: "invalid_option", message });
    }
  });

  test("passes on the failure of its source", async () => {
    const failure = new Error("the source failed");
    async function* source() {
      yield "a";
      throw failure;
    }
    await assert.rejects(collect(encoder.streamDocuments(source())), (error) => error === failure);
  });
});
