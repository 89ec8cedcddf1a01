// What differs between the platforms that the package runs on, with their
// peculiarities imitated.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import fs from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { afterEach, describe, mock, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { Encoder } from "../../dist/index.js";
import { obstacle } from "../../dist/threads/obstacle.js";
import { demoModel, fixtures, modelFiles } from "../support/fixtures.mjs";
import { startServer } from "../support/server.mjs";

const packageFolder = fileURLToPath(new URL("../../", import.meta.url));
const module = (build) => WebAssembly.compile(readFileSync(join(packageFolder, `wasm/${build}/multivec_wasm_bg.wasm`)));
const tiny = join(fixtures, "tiny-bert");

afterEach(() => mock.restoreAll());

describe("a WebAssembly.Module", () => {
  test("runs, without any file", async () => {
    const wasm = await module("base");
    const refuse = () => assert.fail("read once more");
    mock.method(fs, "readFile", refuse);
    const { info } = await Encoder.load(modelFiles("tiny-bert"), { wasm });
    assert.deepEqual([info.provider, info.threads], ["wasm-simd128", 1]);
    assert.match(info.threadsLimit, /WebAssembly\.Module/);
  });

  test("of shared memory, of something else, or on threads is refused", async () => {
    const base = await module("base");
    const HEADER = [0, 97, 115, 109, 1, 0, 0, 0];
    const empty = new WebAssembly.Module(Uint8Array.of(...HEADER));
    // Imports a memory, as that build does.
    const threads = new WebAssembly.Module(Uint8Array.of(...HEADER, 2, 8, 1, 1, 101, 1, 109, 2, 0, 1));
    for (const [options, message] of [
      [{ wasm: threads }, /option `wasm`: expected a module of .* memory of their own/],
      [{ wasm: base, threads: 2 }, /option `threads`: expected 1 with a WebAssembly\.Module/],
      [{ wasm: empty }, /option `wasm`/],
    ]) {
      await assert.rejects(Encoder.load(modelFiles("tiny-bert"), options), { code: "invalid_option", message });
    }
  });
});

test("an engine that refuses code when it is instantiated says `unsupported`, as one that does when it is compiled", async (context) => {
  // What was compiled before is known by its address.
  const folder = mkdtempSync(join(os.tmpdir(), "multivec-wasm-"));
  context.after(() => rmSync(folder, { recursive: true }));
  symlinkSync(join(packageFolder, "wasm"), join(folder, "wasm"));
  for (const name of ["instantiate", "compile"]) {
    const refuse = () => Promise.reject(new WebAssembly.CompileError("Refused to create a WebAssembly object"));
    const { mock: calls } = mock.method(WebAssembly, name, refuse);
    const wasmBase =
      name === "compile" ? pathToFileURL(join(folder, "wasm")) : pathToFileURL(join(packageFolder, "wasm"));
    const refused = { code: "unsupported", message: /wasm-unsafe-eval/ };
    await assert.rejects(Encoder.load(tiny, { wasmBase }), refused, name);
    assert.ok(calls.callCount() > 0);
    mock.restoreAll();
  }
});

test("a home that may not be seen costs the cache, not the model", async () => {
  const refuse = () => {
    throw new Error("Requires sys access to homedir");
  };
  mock.method(os, "homedir", refuse);
  assert.equal((await Encoder.load(tiny)).info.dim, 32);
  const server = await startServer({ "/": fixtures });
  assert.equal((await Encoder.load(`${server.origin}/tiny-bert`)).info.dim, 32);
  assert.equal(await Encoder.isCached(`${server.origin}/tiny-bert`), false);
  await server.close();
});

test("a bundle for a server finds the modules in the installed package, or says what to do", async (context) => {
  const folder = mkdtempSync(join(os.tmpdir(), "multivec-bundle-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const code = `
    import { Encoder } from ${JSON.stringify(join(packageFolder, "dist/index.js"))};
    Encoder.load(${JSON.stringify(tiny)}).then(
      ({ info }) => console.log(info.dim),
      ({ code, message }) => console.log(code, message),
    );`;
  writeFileSync(join(folder, "main.js"), code);
  for (const format of ["esm", "cjs"]) {
    const outfile = join(folder, `${format}.${format === "esm" ? "mjs" : "cjs"}`);
    const options = {
      bundle: true,
      platform: "node",
      logLevel: "silent",
      logOverride: { "empty-import-meta": "silent" },
    };
    await build({ ...options, entryPoints: [join(folder, "main.js")], format, outfile });
    const run = () => execFileSync(process.execPath, [outfile], { cwd: folder, encoding: "utf8" });
    rmSync(join(folder, "node_modules"), { recursive: true, force: true });
    assert.match(run(), /^unsupported .*leave `multivec` out of the bundle/, format);
    execFileSync("mkdir", [join(folder, "node_modules")]);
    symlinkSync(packageFolder.replace(/\/$/, ""), join(folder, "node_modules/multivec"));
    assert.equal(run().trim(), "32", format);
  }
});

describe("what arrived is stored before an aborted load rejects", () => {
  // Slow, as that of a browser is under load.
  const slowCache = (pause) => {
    const entries = new Map();
    return {
      entries,
      read: async (key) => entries.get(key),
      async write(key, bytes) {
        await pause();
        entries.set(key, bytes.slice());
      },
      remove: async (key) => void entries.delete(key),
    };
  };
  const abortAt = async (server, cache, least) => {
    const abort = new AbortController();
    const onProgress = ({ loaded }) => loaded >= least && abort.abort();
    const call = Encoder.load(`${server.origin}/`, { cache, signal: abort.signal, onProgress });
    await assert.rejects(call, { name: "AbortError" });
  };

  test("so that the next load resumes at once", async (context) => {
    const server = await startServer({ "/": demoModel });
    context.after(() => server.close());
    const cache = slowCache(() => new Promise((resolve) => setTimeout(resolve, 100)));
    server.behaviour.set("/model_int8.onnx", { pauseAfter: 7_000_000 });
    await abortAt(server, cache, 6_000_000);
    // As after a reload: whatever is written later is lost.
    const kept = new Map(cache.entries);
    const stored = [...kept].filter(([key]) => /model_int8\.onnx#part/.test(key));
    const size = stored.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    assert.ok(size >= 6_000_000, `${size} bytes`);
    server.behaviour.clear();
    server.takeLog();
    const next = { ...slowCache(async () => {}), read: async (key) => kept.get(key) };
    await Encoder.load(`${server.origin}/`, { cache: next });
    const [asked] = server.takeLog().filter(({ path }) => path === "/model_int8.onnx");
    assert.equal(asked.range, `bytes=${size}-`);
  });

  test("unless storing does not end", async (context) => {
    const server = await startServer({ "/": demoModel });
    context.after(() => server.close());
    const cache = slowCache(() => new Promise(() => {}));
    await abortAt(server, cache, 1);
  });
});

describe("why there are no threads", () => {
  const places = [
    [{ Worker: undefined }, /^this runtime has no Web Workers$/],
    [{}, undefined],
    [{ Deno: {} }, /^Deno does not end threads/],
    [{ SharedArrayBuffer: undefined }, /^this runtime has no SharedArrayBuffer$/],
    [{ document: {}, crossOriginIsolated: false }, /^the page is not cross-origin isolated.*Opener-Policy/],
    [{ document: {}, crossOriginIsolated: undefined }, /^the page is not cross-origin isolated/],
    [
      { document: {}, crossOriginIsolated: true, SharedArrayBuffer: undefined },
      /^the page is cross-origin isolated, but.* no SharedArrayBuffer/,
    ],
    [{ document: {}, crossOriginIsolated: true }, undefined],
    [
      { crossOriginIsolated: false, SharedWorkerGlobalScope: 1, Worker: undefined },
      /^a shared worker cannot start workers/,
    ],
    [
      { crossOriginIsolated: false, ServiceWorkerGlobalScope: 1, Worker: undefined },
      /^a service worker cannot start workers/,
    ],
    [{ crossOriginIsolated: false, SharedWorkerGlobalScope: 1 }, /^this shared worker is not .*its script/],
    [{ crossOriginIsolated: false, DedicatedWorkerGlobalScope: 1 }, /^this worker is not .*its script.*its page/],
    [{ crossOriginIsolated: true, DedicatedWorkerGlobalScope: 1 }, undefined],
  ];
  for (const [changes, expected] of places) {
    test(
      JSON.stringify(changes, (_, value) => value ?? "none"),
      () => {
        const all = { Worker: class {}, ...changes };
        const before = Object.keys(all).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
        for (const [name, value] of Object.entries(all)) {
          Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
        }
        try {
          const found = obstacle(true);
          if (expected === undefined) assert.equal(found, undefined);
          else assert.match(found, expected);
        } finally {
          for (const [name, descriptor] of before) {
            delete globalThis[name];
            if (descriptor !== undefined) Object.defineProperty(globalThis, name, descriptor);
          }
        }
      },
    );
  }
});
