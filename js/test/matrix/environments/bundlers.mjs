// Bundlers that are not Vite, and none.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CSP } from "../../e2e/support/browser.mjs";
import { project, run, serve } from "../project.mjs";
import { checkBuilt, checkServed } from "./vite.mjs";

/** The page beside what was built, with its script elsewhere or more in its head. */
function page(folder, output, replace) {
  const html = readFileSync(join(folder, "index.html"), "utf8");
  writeFileSync(join(output, "index.html"), replace(html));
}

const emptied = (folder, name) => {
  const output = join(folder, name);
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  return output;
};

export default [
  {
    name: "webpack 5",
    version: "5.113.0",
    needs: "nothing",
    where: "build",
    isFast: true,
    async check() {
      const folder = project(
        "webpack",
        { webpack: this.version, "webpack-cli": "7.3.1" },
        {
          "webpack.config.js": `export default { mode: "production", entry: "./page.js", performance: false };\n`,
        },
      );
      const output = emptied(folder, "dist");
      const printed = run(folder, process.execPath, ["node_modules/webpack/bin/webpack.js"]);
      if (!/compiled successfully/.test(printed)) throw new Error(printed);
      page(folder, output, (html) => html.replace("./page.js", "./main.js"));
      await checkBuilt(output);
    },
  },
  {
    name: "Rollup 4",
    version: "4.68.8",
    needs: "the plugin `multivec/rollup`",
    where: "build",
    async check() {
      const packages = { rollup: this.version, "@rollup/plugin-node-resolve": "16.0.3" };
      const folder = project("rollup", packages, {
        "rollup.config.js": `import { nodeResolve } from "@rollup/plugin-node-resolve";\nimport multivec from "multivec/rollup";\nexport default { input: "page.js", output: { dir: "dist/scripts", format: "es" }, plugins: [nodeResolve(), multivec()] };\n`,
      });
      const output = emptied(folder, "dist");
      run(folder, process.execPath, ["node_modules/rollup/dist/bin/rollup", "-c", "--silent"]);
      page(folder, output, (html) => html.replace("./page.js", "./scripts/page.js"));
      await checkBuilt(output);
    },
  },
  {
    name: "esbuild",
    version: "0.28.2",
    needs: 'the plugin `multivec/esbuild`, `format: "esm"`',
    where: "build",
    isFast: true,
    async check() {
      const { packageFolder } = await import("../../e2e/support/packed.mjs");
      const esbuild = join(packageFolder, "node_modules/esbuild/lib/main.js");
      for (const options of ["{}", '{ assetNames: "assets/[name]-[hash]", minify: true, splitting: true }']) {
        const folder = project(
          "esbuild",
          {},
          {
            "build.js": `import * as esbuild from ${JSON.stringify(esbuild)};\nimport multivec from "multivec/esbuild";\nawait esbuild.build({ entryPoints: { "scripts/page": "page.js" }, bundle: true, format: "esm", outdir: "dist", plugins: [multivec()], logLevel: "warning", ...${options} });\n`,
          },
        );
        const output = emptied(folder, "dist");
        run(folder, process.execPath, ["build.js"]);
        page(folder, output, (html) => html.replace("./page.js", "./scripts/page.js"));
        await checkBuilt(output);
      }
    },
  },
  {
    name: "Parcel 2",
    version: "2.16.4",
    needs: "nothing",
    where: "build",
    async check() {
      const folder = project("parcel", { parcel: this.version });
      const output = emptied(folder, "dist");
      run(folder, "rm", ["-rf", ".parcel-cache"]);
      const bin = "node_modules/parcel/lib/bin.js";
      run(folder, process.execPath, [bin, "build", "index.html", "--dist-dir", "dist", "--no-source-maps"]);
      // It writes an import map into the page.
      await checkBuilt(output, { policy: CSP.replace("script-src", "script-src 'unsafe-inline'") });
    },
  },
  {
    name: "import map",
    version: "",
    needs: "the package served as it is",
    where: "page",
    isFast: true,
    async check() {
      const folder = project("bare", {});
      const output = emptied(folder, "dist");
      cpSync(join(folder, "node_modules/multivec"), join(output, "multivec"), { recursive: true });
      for (const name of ["page.js", "embed.js"]) cpSync(join(folder, name), join(output, name));
      // Import maps are scripts, which the policy has to allow as well.
      const map = '{"imports":{"multivec":"./multivec/dist/index.js"}}';
      page(folder, output, (html) => html.replace("<title>", `<script type="importmap">${map}</script>\n    <title>`));
      const hash = createHash("sha256").update(map).digest("base64");
      await checkBuilt(output, { policy: CSP.replace("script-src", `script-src 'sha256-${hash}'`) });
    },
  },
  ...[
    ["Turbopack", []],
    ["webpack", ["--webpack"]],
  ].map(([bundler, flags]) => ({
    name: `Next 16 with ${bundler}`,
    version: "16.4.6",
    needs: "nothing",
    where: "page and route; build",
    isFast: flags.length === 0,
    async check() {
      const packages = { next: this.version, react: "19.3.1", "react-dom": "19.3.1" };
      const folder = project("next", packages, {
        "next.config.mjs": `export default { turbopack: { root: import.meta.dirname } };\n`,
        "app/layout.js": `export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n`,
        "app/page.js": `"use client";\nimport { useEffect } from "react";\nimport { embed } from "../embed.js";\nexport default function Page() { useEffect(() => { globalThis.embed = embed; globalThis.ready = true; }, []); return <p>multivec</p>; }\n`,
        "app/embed/route.js": `import { embed } from "../../embed.js";\nexport async function POST(request) { const { source, texts } = await request.json(); return Response.json(await embed(source, texts).catch((error) => ({ failed: String(error) }))); }\n`,
      });
      run(folder, "rm", ["-rf", ".next"]);
      const bin = "node_modules/next/dist/bin/next";
      run(folder, process.execPath, [bin, "build", ...flags]);
      const starting = serve(folder, process.execPath, (port) => [bin, "start", "-p", String(port), "-H", "127.0.0.1"]);
      const server = await starting;
      try {
        const { checkVectors, modelAddress, texts } = await import("../check.mjs");
        const body = JSON.stringify({ source: await modelAddress(), texts });
        const headers = { "content-type": "application/json" };
        checkVectors(await (await fetch(`${server.origin}/embed`, { method: "POST", body, headers })).json());
      } catch (error) {
        throw new Error(`route: ${error.message}\n${server.log().slice(-2000)}`);
      } finally {
        await checkServed(starting, { isolated: false });
      }
    },
  })),
];
