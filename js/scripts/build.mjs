// Builds the package: WebAssembly modules, JavaScript, types. With
// `--only base` of the modules that one alone, which is all that Node 20 uses;
// with `--dev` modules for tests, unless those that are published are there.

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { glueModule, missingGlue } from "./glue.mjs";

const js = fileURLToPath(new URL("../", import.meta.url));
const run = (command, ...args) => execFileSync(command, args, { cwd: js, stdio: ["ignore", "inherit", "inherit"] });

const { only, dev } = parseArgs({
  options: { only: { type: "string" }, dev: { type: "boolean", default: false } },
}).values;

// Modules take minutes, so that they are built only where a source is newer.
const sources = ["src", "crates", "wasm/src", "wasm/Cargo.toml", "wasm/build.mjs", "Cargo.toml", "Cargo.lock"];
const names = only === undefined ? ["base", "relaxed", "threads"] : [only];
const built = Math.min(...names.map((name) => builtAt(join(js, "wasm", name))));
if (sources.some((path) => newest(join(js, "..", path)) > built)) {
  const which = only === undefined ? [] : ["--only", only];
  run(process.execPath, "../wasm/build.mjs", ...which, ...(dev ? ["--dev"] : []));
}

rmSync(join(js, "dist"), { recursive: true, force: true });
mkdirSync(join(js, "dist"));
run(process.execPath, "node_modules/typescript/bin/tsc");

for (const [build, file, options] of [
  ["base", "glue.js", {}],
  ["threads", "glue-threads.js", { threads: true }],
]) {
  const generated = join(js, "wasm", build, "multivec_wasm.js");
  // Without `--only`, all of them have been built.
  const isBuilt = only === undefined || existsSync(generated);
  const glue = isBuilt ? glueModule(readFileSync(generated, "utf8"), options) : missingGlue(build);
  writeFileSync(join(js, "dist", file), glue);
}

// The only dependency is bundled, see src/features.ts.
await build({
  entryPoints: [join(js, "src/features.ts")],
  outfile: join(js, "dist/features.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  legalComments: "inline",
  banner: { js: "// Contains parts of wasm-feature-detect, Copyright 2019 Google Inc., Apache License 2.0." },
  logLevel: "warning",
});

for (const name of ["LICENSE", "THIRD-PARTY-NOTICES.md"]) {
  const path = join(js, "..", name);
  if (existsSync(path)) copyFileSync(path, join(js, name));
}

/** When a module was built; 0 where there is none that serves. */
function builtAt(folder) {
  const module = statSync(join(folder, "multivec_wasm_bg.wasm"), { throwIfNoEntry: false });
  const profile = join(folder, "profile");
  const isRelease = existsSync(profile) && readFileSync(profile, "utf8") === "wasm-release";
  return module !== undefined && (dev || isRelease) ? module.mtimeMs : 0;
}

/** When a file, or anything in a folder, was last changed; 0 if there is none. */
function newest(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}
