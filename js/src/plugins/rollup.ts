import { readFile } from "node:fs/promises";
import { isOwn, replaceAddresses } from "./files.js";

/** What a plugin calls of Rollup. */
export interface RollupContext {
  emitFile(file: { type: "chunk"; id: string; name: string }): string;
  emitFile(file: { type: "asset"; name: string; source: Uint8Array }): string;
}

/** What Rollup asks of a plugin, as far as this one needs it. */
export interface RollupPlugin {
  name: string;
  transform(this: RollupContext, code: string, id: string): Promise<{ code: string; map: null } | null>;
}

/** A plugin for Rollup that emits the worker and the WebAssembly modules, for outputs of the format `es`. */
export default function multivec(): RollupPlugin {
  return {
    name: "multivec",
    async transform(code, id) {
      if (!isOwn(id)) return null;
      const paths: string[] = [];
      replaceAddresses(code, id, (path) => String(paths.push(path)));
      if (paths.length === 0) return null;
      const references = new Map<string, string>();
      for (const path of new Set(paths)) {
        const name = path.slice(path.lastIndexOf("/") + 1);
        const file = path.endsWith(".wasm")
          ? this.emitFile({ type: "asset", name, source: await readFile(path) })
          : this.emitFile({ type: "chunk", id: path, name: "multivec-worker" });
        references.set(path, file);
      }
      const changed = replaceAddresses(
        code,
        id,
        (path) => `new URL(import.meta.ROLLUP_FILE_URL_${references.get(path)})`,
      );
      return { code: changed, map: null };
    },
  };
}
