// Builds the extension into a folder, `dist/` beside this file by default, for
// "Load unpacked" at chrome://extensions.

import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import multivec from "../../dist/plugins/esbuild.js";

const here = fileURLToPath(new URL("./", import.meta.url));
const dist = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
const model = fileURLToPath(new URL("../../../models/minilm-colbert/", import.meta.url));
const output = process.argv[2] ?? join(here, "dist");

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
await esbuild.build({
  absWorkingDir: here,
  entryPoints: ["popup.js", "background.js"],
  outdir: output,
  bundle: true,
  format: "esm",
  minify: true,
  // In a project of your own the package is installed.
  alias: { multivec: dist },
  plugins: [multivec()],
  logLevel: "warning",
});
for (const name of ["manifest.json", "popup.html", "popup.css"]) cpSync(join(here, name), join(output, name));
for (const name of ["onnx_config.json", "tokenizer.json", "model_int8.onnx"]) {
  cpSync(join(model, name), join(output, "model", name));
}
