import { defineConfig } from "vite";
import { characterMaps, common, demoModel } from "../support/vite.js";

export default defineConfig({
  ...common,
  plugins: [demoModel, characterMaps],
  // Found late, it would make the development server reload the page.
  optimizeDeps: { include: ["pdfjs-dist/legacy/build/pdf.mjs"] },
});
