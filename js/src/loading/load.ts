// Reads the files of a model.

import { openCache } from "./cache.js";
import type { Planner } from "./collect.js";
import { givenFiles } from "./folder.js";
import { type LoadedFiles, Loader } from "./loader.js";
import { checkPrecision, type FileOptions } from "./options.js";
import { type ModelSource, understand } from "./source.js";

/** @internal */
export async function loadFiles(source: ModelSource, options: FileOptions, planner: Planner): Promise<LoadedFiles> {
  checkPrecision(options.precision);
  options.signal?.throwIfAborted();
  const from = await understand(source, options);
  const cache = await openCache(options.cache);
  const loader = new Loader({ options, cache, planner });
  switch (from.type) {
    case "hub":
      return loader.fromHub(from.model);
    case "folder":
      return { ...(await loader.fromFolder(from.address)), hub: null };
    case "files":
      return { ...(await loader.collect(() => givenFiles(from.places, options.requestInit))), hub: null };
    case "three":
      return { ...(await loader.three(from.files)), hub: null };
  }
}
