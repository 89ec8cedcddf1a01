// The contents and size of the tarball, and its use by others.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { after, before, test } from "node:test";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pack, packageFolder } from "../e2e/support/packed.mjs";

const MEBIBYTE = 1024 * 1024;
const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
let folder;
let packed;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "multivec-pack-"));
  packed = pack(folder);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("the tarball has what users need, and nothing else", (context) => {
  const allowed =
    /^(dist\/.*\.(js|d\.ts)|wasm\/(base|relaxed|threads)\/multivec_wasm_bg\.wasm|package\.json|README\.md|LICENSE|THIRD-PARTY-NOTICES\.md)$/;
  assert.deepEqual(
    packed.files.filter((path) => !allowed.test(path)),
    [],
  );
  for (const path of [
    "dist/index.js",
    "dist/index.d.ts",
    "dist/worker/worker.js",
    "LICENSE",
    "wasm/base/multivec_wasm_bg.wasm",
    "wasm/threads/multivec_wasm_bg.wasm",
  ]) {
    assert.ok(packed.files.includes(path), path);
  }
  context.diagnostic(
    `${(packed.size / MEBIBYTE).toFixed(2)} MiB packed, ${(packed.unpackedSize / MEBIBYTE).toFixed(2)} MiB unpacked`,
  );
});

test("no link leads out of the package", () => {
  const read = (path) => readFileSync(join(packageFolder, path), "utf8");
  const links = [];
  for (const path of packed.files) {
    // In texts, links and pictures; in code, imports and files to be loaded.
    const pattern = path.endsWith(".md")
      ? /\]\(<?([^)\s>]+)|^\[[^\]]+\]:\s*<?([^\s>]+)|\b(?:href|src)="([^"]+)"/gm
      : /\b(?:from|import)\s*\(?"(\.[^"]*)"|\bnew URL\("(\.[^"]*)"|\b(?:path|types)="(\.[^"]*)"/g;
    if (!/\.(md|js|ts)$/.test(path)) continue;
    for (const [, ...found] of read(path).matchAll(pattern)) links.push([path, found.find(Boolean)]);
  }
  assert.ok(links.length > 20, `${links.length} links`);
  const files = new Set(packed.files);
  const broken = links.filter(([path, link]) => {
    if (/^(https:|#)/.test(link)) return false;
    const target = posix.join(posix.dirname(path), link.replace(/#.*/, ""));
    return target.endsWith("/") ? !packed.files.some((file) => file.startsWith(target)) : !files.has(target);
  });
  assert.deepEqual(broken, []);
});

for (const build of ["base", "relaxed", "threads"]) {
  const module = join(packageFolder, "wasm", build);
  const isPublished = readFileSync(join(module, "profile"), "utf8") === "wasm-release";
  const skip =
    !isPublished && "of modules for tests; `npm run build` and `npm run test:package` measure those published";
  test(`size of the build \`${build}\``, { skip }, (context) => {
    const bytes = readFileSync(join(module, "multivec_wasm_bg.wasm"));
    const compressed = brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 11 },
    });
    context.diagnostic(
      `${(bytes.length / 1e6).toFixed(2)} MB raw, ${(compressed.length / 1e6).toFixed(2)} MB with brotli`,
    );
    assert.ok(compressed.length < 1.8e6, `${compressed.length} bytes with brotli`);
    // The most that Cloudflare's free plan takes, with the code, is 3 MB.
    const zipped = gzipSync(bytes, { level: 9 }).length;
    assert.ok(build !== "base" || zipped < 2.9e6, `${zipped} bytes with gzip`);
  });
}

test("publint finds no problems", async () => {
  const { messages } = await publint({ pkgDir: packageFolder, strict: true });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, manifest, { color: false })),
    [],
  );
});

test("types resolve for every module resolution that can import the package", () => {
  // It is ESM only, so that `require` and Node 10's resolution do not count.
  const attw = join(packageFolder, "node_modules/@arethetypeswrong/cli/dist/index.js");
  execFileSync(process.execPath, [attw, packed.tarball, "--profile", "esm-only"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
});

for (const [where, options] of [
  ["pages", { lib: ["ES2022", "DOM"], types: [] }],
  ["Node", { lib: ["ES2022"], types: ["node"], typeRoots: [join(packageFolder, "node_modules/@types")] }],
]) {
  test(`types compile in a strict project for ${where}`, () => {
    const project = join(folder, `types-${options.types.length}`);
    mkdirSync(join(project, "node_modules/multivec"), { recursive: true });
    execFileSync("tar", ["-xzf", packed.tarball, "--strip-components=1", "-C", join(project, "node_modules/multivec")]);
    cpSync(join(packageFolder, "test/package/user.ts"), join(project, "user.ts"));
    const compilerOptions = {
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      module: "NodeNext",
      target: "ES2022",
      ...options,
    };
    writeFileSync(join(project, "package.json"), '{ "type": "module" }');
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["user.ts"] }));
    const tsc = join(packageFolder, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", project], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
  });
}

test("no code that a content security policy forbids", () => {
  const scripts = readdirSync(join(packageFolder, "dist"), { recursive: true }).filter((name) => name.endsWith(".js"));
  assert.ok(scripts.length > 10);
  for (const name of scripts) {
    const code = readFileSync(join(packageFolder, "dist", name), "utf8").replace(/\/\/.*$/gm, "");
    assert.doesNotMatch(code, /\beval\(|new Function\(|createObjectURL|^await |\bimport\(/m, name);
  }
});

test("the lockfile names no registry", () => {
  const lock = readFileSync(join(packageFolder, "package-lock.json"), "utf8");
  assert.doesNotMatch(lock, /"resolved"/);
  assert.match(lock, /"integrity"/);
});
