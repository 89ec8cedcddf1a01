// Where the package's own files are.

import type { WasmBuild } from "./build.js";
import { EncoderError, messageOf } from "./errors.js";
import { node } from "./platform.js";

/** @internal Addresses for code that is not where it was installed. */
export interface Addresses {
  /** Of a copy of the package's folder `wasm/`; by default the folder beside its code. */
  wasmBase?: string;
  /** Of the worker's script; by default the one beside the code. */
  workerUrl?: string;
}

const FILES: Record<WasmBuild, string> = {
  base: "base/multivec_wasm_bg.wasm",
  relaxed: "relaxed/multivec_wasm_bg.wasm",
  threads: "threads/multivec_wasm_bg.wasm",
};

/** @internal The address of a module. */
export async function wasmAddress(build: WasmBuild, base: string | undefined): Promise<URL> {
  if (base !== undefined) return new URL(FILES[build], base.endsWith("/") ? base : `${base}/`);
  const { url, cause } = attempt(() => absolute(beside(build)));
  const parts = node();
  if (url !== undefined && (url.protocol !== "file:" || parts === undefined)) return url;
  const found = url?.href ?? messageOf(cause);
  if (parts === undefined) throw unknownAddress(found, cause);
  const isThere = async (path: URL) => (await parts.fs.stat(path)).isFile();
  if (url !== undefined && (await isThere(url).catch(() => false))) return url;
  // A bundle for a server: the package is installed where it runs.
  try {
    const require = parts.module.createRequire(parts.path.resolve("package.json"));
    return parts.url.pathToFileURL(require.resolve(`multivec/wasm/${FILES[build]}`));
  } catch (error) {
    throw unknownAddress(found, error);
  }
}

function attempt(run: () => URL): { url?: URL; cause?: unknown } {
  try {
    return { url: run() };
  } catch (cause) {
    return { cause };
  }
}

// Some bundlers give addresses that only pages can resolve.
function absolute({ href }: URL): URL {
  const { location, origin } = globalThis;
  return new URL(href, location?.protocol === "blob:" ? origin : location?.href);
}

function beside(build: WasmBuild): URL {
  // Bundlers look for exactly this form, with literals.
  switch (build) {
    case "base":
      return new URL("../wasm/base/multivec_wasm_bg.wasm", import.meta.url);
    case "relaxed":
      return new URL("../wasm/relaxed/multivec_wasm_bg.wasm", import.meta.url);
    case "threads":
      return new URL("../wasm/threads/multivec_wasm_bg.wasm", import.meta.url);
  }
}

function unknownAddress(found: string, cause: unknown): EncoderError {
  return new EncoderError(
    "unsupported",
    `the WebAssembly file: expected it beside the package's code, found ${found}: leave \`multivec\` out of the bundle ` +
      "(in Next: `serverExternalPackages`), or pass `wasm`, a `WebAssembly.Module` of it, or `wasmBase`",
    { cause },
  );
}

// Vite before 8 copies packages to such files in development. Relative
// addresses in them lead nowhere.
const COPY = /^(https?:.*)\/deps\/[^/?]+\.js\?v=[\da-f]+$/;

/** @internal The addresses of files that a development server did not copy with the code. */
export async function displaced(): Promise<Addresses> {
  const code: string | undefined = import.meta.url;
  const folder = COPY.exec(code ?? "")?.[1];
  if (folder === undefined || !beside("base").href.startsWith(`${folder}/wasm/`)) return {};
  // Its base is some folder above the copy.
  for (let base = new URL("/", code); ; ) {
    const worker = await askFor(new URL("@id/multivec/worker?worker", base));
    if (worker !== undefined)
      return { workerUrl: worker.href, wasmBase: worker.href.replace(/dist\/worker\/[^/]*$/, "wasm/") };
    const next = /^[^/]+\//.exec(code.slice(base.href.length))?.[0];
    if (next === undefined) break;
    base = new URL(next, base);
  }
  throw new EncoderError(
    "worker",
    'the development server copied the package without its worker: add `optimizeDeps: { exclude: ["multivec"] }` to its configuration',
  );
}

// Vite answers with code that starts the worker.
async function askFor(url: URL): Promise<URL | undefined> {
  const response = await fetch(url).catch(() => undefined);
  const isCode = response?.ok && /javascript/.test(response.headers.get("content-type") ?? "");
  const address = /\bnew Worker\(\s*(".*?[^\\]")/.exec(isCode ? await response.text() : "")?.[1];
  return address === undefined ? undefined : new URL(JSON.parse(address), url);
}
