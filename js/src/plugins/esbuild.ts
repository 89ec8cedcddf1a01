import { readFile } from "node:fs/promises";
import { dirname, posix } from "node:path";
import type { BuildOptions, Plugin, PluginBuild } from "esbuild";
import { isOwn, replaceAddresses } from "./files.js";

const FILE = "multivec-file";

/** A plugin for esbuild that writes the worker and the WebAssembly modules beside the output, which is of the format `esm`. */
export default function multivec(): Plugin {
  return {
    name: "multivec",
    setup(build) {
      const { format, outdir, outfile } = build.initialOptions;
      build.onStart(() => {
        if (format === "esm" && (outdir ?? outfile) !== undefined) return null;
        return { errors: [{ text: 'expected `format: "esm"` and `outdir` or `outfile`, which workers need' }] };
      });
      build.onLoad({ filter: /[\\/](addresses|spawn)\.js$/ }, async ({ path }) => {
        if (!isOwn(path)) return null;
        const imports: string[] = [];
        const code = replaceAddresses(await readFile(path, "utf8"), path, (file) => {
          const name = `file${imports.length}`;
          imports.push(`import ${name} from ${JSON.stringify(`${FILE}:${file}`)};\n`);
          return `new URL(${name}, import.meta.url)`;
        });
        return { contents: imports.join("") + code, loader: "js" };
      });
      build.onResolve({ filter: new RegExp(`^${FILE}:`) }, ({ path }) => ({
        path: path.slice(FILE.length + 1),
        namespace: FILE,
      }));
      build.onLoad({ filter: /./, namespace: FILE }, async ({ path }) => ({
        contents: path.endsWith(".wasm") ? await readFile(path) : await worker(build, path),
        loader: "file",
      }));
    },
  };
}

const SHARED = [
  ...["absWorkingDir", "assetNames", "charset", "define", "legalComments", "minify", "minifyIdentifiers"],
  ...["minifySyntax", "minifyWhitespace", "publicPath", "supported", "target"],
] as readonly (keyof BuildOptions)[];

/** The worker's script in one file, which will be where the modules are. */
async function worker({ esbuild, initialOptions }: PluginBuild, path: string): Promise<Uint8Array> {
  const shared: BuildOptions = Object.fromEntries(
    SHARED.flatMap((key) => (key in initialOptions ? [[key, initialOptions[key]]] : [])),
  );
  const { assetNames, outdir, outfile } = initialOptions;
  const { outputFiles } = await esbuild.build({
    ...shared,
    entryPoints: [{ in: path, out: posix.join(posix.dirname(assetNames ?? "x"), "multivec-worker") }],
    outdir: outdir ?? dirname(outfile ?? ""),
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "silent",
    plugins: [multivec()],
  });
  const script = outputFiles.find((file) => /multivec-worker\.m?js$/.test(file.path));
  if (script === undefined) throw new Error("expected the script of the worker, found none");
  return script.contents;
}
