// The package as users get it: packed and installed into an empty project.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const packageFolder = fileURLToPath(new URL("../../../", import.meta.url));

const npm = (cwd, ...args) =>
  execFileSync("npm", [...args, "--ignore-scripts"], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

/** Packs into a folder; returns the tarball and the names of its files. */
export function pack(folder) {
  const [{ filename, files, size, unpackedSize }] = JSON.parse(
    npm(packageFolder, "pack", "--json", "--pack-destination", folder),
  );
  return { tarball: join(folder, filename), files: files.map(({ path }) => path), size, unpackedSize };
}

/** A project with the packed package, and the test app's sources in `src/`. */
export function makeProject() {
  const folder = mkdtempSync(join(tmpdir(), "multivec-e2e-"));
  const { tarball, files } = pack(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  npm(folder, "install", "--no-audit", "--no-fund", "--offline", tarball);
  mkdirSync(join(folder, "src"));
  cpSync(join(packageFolder, "test/e2e/app"), join(folder, "src"), { recursive: true });
  cpSync(join(packageFolder, "test/support/error-cases.mjs"), join(folder, "src/error-cases.mjs"));
  return { folder, files, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
