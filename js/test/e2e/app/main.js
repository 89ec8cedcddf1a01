// The functions that the tests call in the page.

import "./watch.js";
import * as multivec from "multivec";
import { runErrorCases } from "./error-cases.mjs";

const { Encoder, EncoderError, Embedding, maxSim } = multivec;
let encoder;

const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

function base64({ buffer }) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** An error as data, for the tests. */
const failure = (error) => ({
  failed: true,
  name: error.name,
  code: error.code ?? null,
  message: error.message,
  status: error.status ?? null,
  own: error instanceof EncoderError,
});

// A function with a relaxed swizzle.
const RELAXED = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253],
  ...[15, 253, 128, 2, 11],
);

globalThis.api = {
  /** What the browser can do here, asked without the package. */
  platform: () => ({
    relaxed: WebAssembly.validate(RELAXED),
    isolated: globalThis.crossOriginIsolated === true,
    shared: typeof SharedArrayBuffer !== "undefined",
    cores: navigator.hardwareConcurrency,
  }),
  /** Loads; returns phases, the last progress of each file, and the time it took. */
  async load(source, options = {}) {
    encoder?.dispose();
    const phases = new Set();
    const last = {};
    const onProgress = ({ file, phase, loaded, total }) => {
      phases.add(phase);
      last[file] = { loaded, total };
    };
    const start = performance.now();
    try {
      encoder = await Encoder.load(source, { ...options, onProgress });
    } catch (error) {
      return failure(error);
    }
    return { info: encoder.info, phases: [...phases], last, ms: performance.now() - start };
  },
  /** Loads a model of any kind. */
  async loadAny(source, options) {
    encoder?.dispose();
    try {
      encoder = await multivec.load(source, options);
    } catch (error) {
      return failure(error);
    }
    return { info: encoder.info };
  },
  /** Dense and sparse embeddings as plain arrays. */
  async encodePlain(kind, texts, options) {
    const found = await encoder[kind === "query" ? "encodeQueries" : "encodeDocuments"](texts, options);
    return found.map(({ indices = [], values }) => ({ indices: [...indices], values: [...values] }));
  },
  /** Embeddings of several kinds as plain arrays. */
  async encodeHybrid(kind, texts, options) {
    const found = await encoder[kind === "query" ? "encodeQueries" : "encodeDocuments"](texts, options);
    return found.map(({ dense, sparse, multiVector }) => ({
      dense: [...dense.values],
      indices: [...sparse.indices],
      values: [...sparse.values],
      tokens: [...multiVector.data],
    }));
  },
  async predict(pairs, options) {
    const found = await encoder.predict(pairs, options);
    return found.map(({ logits, scores }) => ({ logits: [...logits], scores: [...scores] }));
  },
  /** Loads from the files of a folder, in base64 by their paths. */
  loadFiles(files, options) {
    const blobs = Object.entries(files).map(([path, text]) => [path, new Blob([bytesOf(text)])]);
    return this.load(Object.fromEntries(blobs), options);
  },
  isCached: (source, options) => Encoder.isCached(source, options),
  delete: (source, options) => Encoder.delete(source, options),
  async encode(kind, texts, options) {
    const method = kind === "query" ? "encodeQueries" : "encodeDocuments";
    const found = await encoder[method](texts, options);
    return found.map(({ data, dim }) => ({ data: base64(data), dim }));
  },
  async tokenize(kind, texts) {
    const found = await encoder.tokenize(texts, kind);
    return found.map(({ ids, attention }) => ({ ids: [...ids], attention }));
  },
  /** Aborts after some texts; returns how it ended and what was done. */
  async abort(count, after) {
    const abort = new AbortController();
    const onProgress = ({ done }) => done >= after && abort.abort();
    let done = 0;
    const start = performance.now();
    const call = encoder.encodeDocuments(Array(count).fill("a document of several words, to be encoded"), {
      batchSize: 1,
      signal: abort.signal,
      onProgress: (event) => {
        done = event.done;
        onProgress(event);
      },
    });
    const outcome = await call.catch(failure);
    const stopped = performance.now() - start;
    const query = await encoder.encodeQuery("still there");
    return { outcome, done, stopped, tokens: query.tokens, next: performance.now() - start };
  },
  /** The vectors of texts streamed and encoded by one call, and of the first pooled later and while encoding. */
  async streamAndPool(texts, poolFactor) {
    const streamed = [];
    for await (const embedding of encoder.streamDocuments(texts, { readAhead: 2 })) streamed.push(embedding);
    const called = await encoder.encodeDocuments(texts);
    const pooled = await encoder.pooled(called[0], { poolFactor });
    const encoded = await encoder.encodeDocument(texts[0], { poolFactor });
    const rows = (embedding) => Array.from({ length: embedding.tokens }, (_, row) => embedding.rowTokens(row));
    const show = (embedding) => ({ data: base64(embedding.data), rows: rows(embedding) });
    return { streamed: streamed.map(show), called: called.map(show), pooled: show(pooled), encoded: show(encoded) };
  },
  /** Disposes the encoder during a call; returns how the call ended. */
  async disposeWhileEncoding() {
    const call = encoder.encodeDocuments(Array(400).fill("a document of several words, to be encoded")).catch(failure);
    await new Promise((resolve) => setTimeout(resolve, 100));
    encoder.dispose();
    return call;
  },
  /** The longest time that the page was blocked while documents are encoded. */
  async freeze(texts) {
    let last = performance.now();
    let longest = 0;
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const start = performance.now();
    await encoder.encodeDocuments(texts);
    clearInterval(timer);
    return { longest, total: performance.now() - start };
  },
  abortLoad: (source, options, after) => {
    const abort = new AbortController();
    const onProgress = ({ file, loaded }) => file === "model" && loaded >= after && abort.abort();
    return Encoder.load(source, { ...options, signal: abort.signal, onProgress }).then(
      () => ({ failed: false }),
      failure,
    );
  },
  /** Changes a byte of the largest entry of the cache. */
  async corrupt() {
    const cache = await caches.open("multivec");
    let largest;
    for (const request of await cache.keys()) {
      const bytes = new Uint8Array(await (await cache.match(request)).arrayBuffer());
      if (bytes.length > (largest?.bytes.length ?? 0)) largest = { request, bytes };
    }
    largest.bytes[100] ^= 1;
    await cache.put(largest.request, new Response(largest.bytes));
    return largest.bytes.length;
  },
  /** All error cases; `files` in base64. */
  errors: ({ files, ...rest }) =>
    runErrorCases(multivec, {
      ...rest,
      files: Object.fromEntries(Object.entries(files).map(([name, text]) => [name, bytesOf(text)])),
    }),
  score: (left, right, dim) =>
    maxSim(Embedding.fromRows(Float32Array.from(left), dim), Embedding.fromRows(Float32Array.from(right), dim)),
};
globalThis.ready = true;
