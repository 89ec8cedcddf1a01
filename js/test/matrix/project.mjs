// Projects in which the packed package is used, with tools of pinned versions.
// They are kept under `target/matrix/`, so that only the first run downloads.

import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pack } from "../e2e/support/packed.mjs";
import { freePort } from "../e2e/support/port.mjs";
import { root } from "../support/fixtures.mjs";

const cache = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "matrix");
const app = fileURLToPath(new URL("./app/", import.meta.url));

let tarball;

/** The packed package, packed once. */
function packed() {
  if (tarball === undefined) {
    const folder = mkdtempSync(join(tmpdir(), "multivec-matrix-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    ({ tarball } = pack(folder));
  }
  return tarball;
}

/** A folder with npm packages, `{ name: version }`, installed if they are not. */
export function tools(name, packages) {
  const folder = join(cache, name);
  const manifest = JSON.stringify({ private: true, type: "module", dependencies: packages }, undefined, 2);
  const stamp = join(folder, ".installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === manifest) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), manifest);
  if (Object.keys(packages).length > 0)
    execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  writeFileSync(stamp, manifest);
  return folder;
}

/** A project with tools, the packed package, the app and further files, `{ path: content }`. */
export function project(name, packages, files = {}) {
  const folder = tools(name, packages);
  const installed = join(folder, "node_modules/multivec");
  rmSync(installed, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", packed(), "--strip-components=1", "-C", installed]);
  const { type = "module", ...rest } = files;
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, type }, undefined, 2));
  cpSync(app, folder, { recursive: true });
  for (const [path, content] of Object.entries(rest)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

const quiet = {
  NO_COLOR: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  NUXT_TELEMETRY_DISABLED: "1",
  ASTRO_TELEMETRY_DISABLED: "1",
};
const environment = (more) => ({ ...process.env, ...quiet, DO_NOT_TRACK: "1", CI: "1", ...more });

/** Runs a program to its end; what it printed is returned, or in the error. */
export function run(folder, program, args, { env = {} } = {}) {
  try {
    return execFileSync(program, args, { cwd: folder, encoding: "utf8", env: environment(env), stdio: "pipe" });
  } catch (error) {
    throw new Error(`${program} ${args.join(" ")}: ${error.message}\n${error.stdout}${error.stderr}`);
  }
}

/**
 * Starts a server, given a free port unless one is named, and waits until it answers.
 * @returns {Promise<{ origin: string, log: () => string, close: () => Promise<void> }>}
 */
export async function serve(folder, program, args, { env = {}, path = "/", port: wanted } = {}) {
  const port = wanted ?? (await freePort());
  const given = args(port);
  const child = spawn(program, given, {
    cwd: folder,
    env: environment({ PORT: String(port), ...env }),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  let ended = false;
  const end = new Promise((resolve) => child.once("close", resolve)).then(() => (ended = true));
  const close = async () => {
    try {
      // The whole group: some tools start others.
      if (!ended) process.kill(-child.pid, "SIGTERM");
    } catch {
      // It has just ended.
    }
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 5_000))]);
  };
  const origin = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(origin + path, { redirect: "manual" }).catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return { origin, log: () => output, close };
    if (ended || tries === 1200) {
      await close();
      throw new Error(`${program} ${given.join(" ")}: no answer\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
