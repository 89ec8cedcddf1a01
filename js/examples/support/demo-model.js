import { cpSync, createReadStream, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const model = here("../../../models/minilm-colbert");

/** Serves the repository's demo model at /model/, and copies it into builds. */
export const demoModel = {
  name: "demo-model",
  configureServer(server) {
    server.middlewares.use("/model/", (request, response, next) => {
      const path = join(model, request.url.replace(/[?#].*/, ""));
      if (!path.startsWith(model) || !existsSync(path)) return next();
      response.setHeader("content-length", statSync(path).size);
      createReadStream(path).pipe(response);
    });
  },
  writeBundle({ dir }) {
    cpSync(model, join(dir, "model"), { recursive: true });
  },
};
