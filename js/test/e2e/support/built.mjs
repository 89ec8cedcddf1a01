// The test app as it would be deployed.

import { join } from "node:path";
import { build } from "vite";
import { makeProject } from "./packed.mjs";

/** The project of `makeProject`, with the app built into the folder `dist`. */
export async function buildProject() {
  const project = makeProject();
  const dist = join(project.folder, "dist");
  await build({
    root: join(project.folder, "src"),
    logLevel: "error",
    build: { outDir: dist, emptyOutDir: true },
  });
  return { ...project, dist };
}
