// What the pages' builds have in common.

import { cpSync, createReadStream, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Serves a folder at a path, such as `/model/`, and copies it into builds. */
function folderAt(path, folder) {
  return {
    name: `folder-at-${path.replaceAll("/", "")}`,
    configureServer(server) {
      server.middlewares.use(path, (request, response, next) => {
        const file = join(folder, decodeURIComponent(request.url.replace(/[?#].*/, "")));
        if (!file.startsWith(folder) || !statSync(file, { throwIfNoEntry: false })?.isFile()) return next();
        response.setHeader("content-length", statSync(file).size);
        createReadStream(file).pipe(response);
      });
    },
    writeBundle({ dir }) {
      if (existsSync(folder)) cpSync(folder, join(dir, path), { recursive: true });
    },
  };
}

/** The repository's demo model, at /model/. */
export const demoModel = folderAt("/model/", here("../../../models/minilm-colbert"));

/** Tables of pdf.js for PDFs whose texts are in East Asian encodings. */
export const characterMaps = folderAt("/cmaps/", here("../../node_modules/pdfjs-dist/cmaps"));

export const common = {
  base: "./",
  // An app of its own has `multivec` among its dependencies instead.
  resolve: { alias: { multivec: here("../../dist/index.js") } },
};
