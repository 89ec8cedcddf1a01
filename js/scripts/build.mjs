// Makes the package: WebAssembly builds, JavaScript, types.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { glueModule } from "./glue.mjs";

const js = fileURLToPath(new URL("../", import.meta.url));
const run = (command, ...args) => execFileSync(command, args, { cwd: js, stdio: ["ignore", "inherit", "inherit"] });

// wasm-opt takes minutes, and has nothing to do where no source is newer.
const sources = ["src", "wasm/src", "wasm/Cargo.toml", "wasm/build.mjs", "Cargo.toml", "Cargo.lock"];
const modules = ["base", "relaxed", "threads"].map((name) => join(js, "wasm", name, "multivec_wasm_bg.wasm"));
const built = Math.min(...modules.map((path) => (existsSync(path) ? statSync(path).mtimeMs : 0)));
if (sources.some((path) => newest(join(js, "..", path)) > built)) run(process.execPath, "../wasm/build.mjs");

rmSync(join(js, "dist"), { recursive: true, force: true });
mkdirSync(join(js, "dist"));
run(process.execPath, "node_modules/typescript/bin/tsc");

const generated = (build) => readFileSync(join(js, "wasm", build, "multivec_wasm.js"), "utf8");
writeFileSync(join(js, "dist/glue.js"), glueModule(generated("base")));
writeFileSync(join(js, "dist/glue-threads.js"), glueModule(generated("threads"), { threads: true }));

// The one dependency goes in, see src/features.ts.
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

const license = join(js, "../LICENSE");
if (existsSync(license)) copyFileSync(license, join(js, "LICENSE"));

/** When a file, or anything in a folder, was last changed. */
function newest(path) {
  const found = statSync(path);
  if (!found.isDirectory()) return found.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}
