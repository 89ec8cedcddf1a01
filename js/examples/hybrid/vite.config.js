import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { demoModel } from "../support/demo-model.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  base: "./",
  // The page waits for its models at the top of its script.
  build: { target: "es2022" },
  plugins: [demoModel],
  // An app of its own has `multivec` among its dependencies instead.
  resolve: { alias: { multivec: here("../../dist/index.js") } },
});
