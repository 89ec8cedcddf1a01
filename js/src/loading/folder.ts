// Folders of files, some of which can be listed.

import { EncoderError, messageOf } from "../errors.js";
import { node } from "../platform.js";
import { authorized, fileUrl, type HubListing, type HubModel } from "./hub.js";
import { join } from "./layout.js";
import { type Address, type Content, child, describe, type Place, withoutQuery } from "./source.js";
import type { ContentHash } from "./verify.js";

/** @internal A file on the web, and how it is kept in the cache. */
export interface WebFile {
  type: "web";
  url: URL;
  key: string;
  hash: ContentHash | undefined;
  size: number | null;
  requestInit: RequestInit | undefined;
}

/** @internal Where a file is. */
export type Located = WebFile | { type: "disk"; path: string } | { type: "memory"; bytes: Content };

/** @internal The files of a model. */
export interface Folder {
  /** Its address, for messages. */
  location: string;
  /** All paths; `undefined` where they cannot be listed. */
  paths: readonly string[] | undefined;
  /** Where a file is, if there is one. */
  locate(path: string): Located;
  /** A file's name in messages. */
  nameOf(path: string): string;
}

/** @internal A folder on the web, which has no listing. */
export function webFolder(address: Address & { type: "web" }, requestInit: RequestInit | undefined): Folder {
  const at = (path: string) => child(address, path);
  return {
    location: withoutQuery(address.url),
    paths: undefined,
    locate: (path) => locate(at(path), requestInit),
    nameOf: (path) => describe(path, at(path)),
  };
}

/** @internal A revision of a model on a hub. */
export function hubFolder(model: HubModel, listing: HubListing, requestInit: RequestInit | undefined): Folder {
  const { commit, files } = listing;
  const at = (path: string) => fileUrl(model, commit, path);
  return {
    location: `${model.endpoint}/${model.id}`,
    paths: [...files.keys()],
    locate(path) {
      const { hash, size } = files.get(path) ?? { hash: undefined, size: null };
      // Without a hash, a file of a commit never changes either.
      const key = hash === undefined ? at(path).href : `multivec-content:${hash.value}`;
      return { type: "web", url: at(path), key, hash, size, requestInit: authorized(model, requestInit) };
    },
    nameOf: (path) => at(path).href,
  };
}

/** @internal Files that are given one by one. */
export function givenFiles(
  places: ReadonlyMap<string, Place>,
  requestInit: RequestInit | undefined,
  names: ReadonlyMap<string, string> = new Map(),
): Folder {
  const at = (path: string) => {
    const place = places.get(path);
    if (place === undefined) throw new EncoderError("missing_file", `the file ${path} is not among those given`);
    return place;
  };
  return {
    location: "",
    paths: [...places.keys()],
    locate: (path) => locate(at(path), requestInit),
    nameOf: (path) => describe(names.get(path) ?? path, at(path)),
  };
}

function locate(place: Place, requestInit: RequestInit | undefined): Located {
  if (place.type !== "web") return place;
  return { ...place, key: place.url.href, hash: undefined, size: null, requestInit };
}

// Models have modules, graphs and weights in folders of their own, and nothing
// in folders of those.
const DEPTH = 2;
const MOST_FILES = 10_000;

/** @internal A folder on disk. */
export async function diskFolder(address: Address & { type: "disk" }): Promise<Folder> {
  const { path: root } = address;
  const paths: string[] = [];
  const walk = async (folder: string, depth: number): Promise<void> => {
    const fs = node()?.fs;
    for (const name of (await fs?.readdir(join(root, folder))) ?? []) {
      const path = join(folder, name);
      // Follows links, which caches of hubs are made of.
      const found = await fs?.stat(join(root, path)).catch(() => undefined);
      if (found?.isDirectory()) {
        if (depth > 0 && !name.startsWith(".")) await walk(path, depth - 1);
      } else if (found !== undefined) paths.push(path);
      if (paths.length > MOST_FILES) {
        throw new EncoderError(
          "missing_file",
          `${root}: a model is missing: expected a folder of at most ${MOST_FILES} files`,
        );
      }
    }
  };
  try {
    await walk("", DEPTH);
  } catch (cause) {
    if (cause instanceof EncoderError) throw cause;
    const missing = (cause as { code?: string }).code === "ENOENT";
    const text = missing ? `the folder ${root} is missing` : `${root}: reading failed: ${messageOf(cause)}`;
    throw new EncoderError(missing ? "missing_file" : "io", text, { cause });
  }
  const at = (path: string): Address => child(address, path);
  return {
    location: root,
    paths,
    locate: (path) => locate(at(path), undefined),
    nameOf: (path) => describe(path, at(path)),
  };
}
