// What users pass as a model, and where its files are.

import { EncoderError, optionError, show } from "../errors.js";
import { node } from "../platform.js";
import { type HubModel, type HubOptions, hubModel } from "./hub.js";

/** One file: an address, or its bytes, which are copied, never detached. */
export type FileSource = string | URL | Blob | ArrayBuffer | Uint8Array;

/** The three files of a model that was exported to ONNX. */
export interface ModelFiles {
  /** The ONNX graph with its weights. */
  model: FileSource;
  /** `tokenizer.json`. */
  tokenizer: FileSource;
  /** `onnx_config.json` or `config_sentence_transformers.json`. */
  config: FileSource;
}

/** What a file is for: weights, the tokenizer, or anything that is said about them. */
export type FileKind = keyof ModelFiles;

/** All files of a model's folder by their paths in it, such as `1_Dense/model.safetensors`. */
export type FolderFiles = { readonly [path: string]: FileSource };

/**
 * The id of a model on a hub, such as `"lightonai/GTE-ModernColBERT-v1"`,
 * perhaps with `@` and a revision; or the address of a folder with the model,
 * or its files.
 */
export type ModelSource = string | URL | ModelFiles | FolderFiles;

/** @internal Bytes in memory, or of a file that the user picked. */
export type Content = Blob | ArrayBuffer | Uint8Array;

/** @internal Where bytes come from: the web, a disk, or memory. */
export type Place = { type: "web"; url: URL } | { type: "disk"; path: string } | { type: "memory"; bytes: Content };

/** @internal The address of a folder or file. */
export type Address = Exclude<Place, { type: "memory" }>;

/** @internal A source, understood. */
export type Source =
  | { type: "hub"; model: HubModel }
  | { type: "folder"; address: Address }
  | { type: "files"; places: Map<string, Place> }
  | { type: "three"; files: Record<FileKind, { name: string; place: Place }> };

// One slash, and no dot or slash in front: what is left are ids of hubs.
const ID = /^([a-z0-9_][\w.-]*\/[a-z0-9_][\w.-]*)(?:@(.+))?$/i;

/** @internal */
export async function understand(source: ModelSource, options: HubOptions): Promise<Source> {
  const [, id, revision] = (typeof source === "string" && ID.exec(source)) || [];
  if (id !== undefined && (isOfHub(options) || !(await isOnDisk(source as string)))) {
    if (revision !== undefined && options.revision !== undefined) {
      throw optionError("revision", `none beside that of ${source}`, options.revision);
    }
    return { type: "hub", model: hubModel(id, revision === undefined ? options : { ...options, revision }) };
  }
  for (const option of ["revision", "token", "endpoint"] as const) {
    if (options[option] !== undefined) {
      throw optionError(option, "none but for the id of a model on a hub", "one for another source");
    }
  }
  if (typeof source === "string" || source instanceof URL) return { type: "folder", address: address(source) };
  if (typeof source !== "object" || source === null) {
    throw new EncoderError("invalid_input", `the model: expected an id, an address or files, found ${show(source)}`);
  }
  // Every path has a name with a dot, the three keys have none.
  if (Object.keys(source).some((key) => key.includes("."))) {
    const files = Object.entries(source as FolderFiles);
    return { type: "files", places: new Map(files.map(([path, one]) => [path, place(path, one)])) };
  }
  const { model, tokenizer, config } = source as ModelFiles;
  const files = {
    model: named("model", model),
    tokenizer: named("tokenizer", tokenizer),
    config: named("config", config),
  };
  return { type: "three", files };
}

function isOfHub({ revision, token, endpoint }: HubOptions): boolean {
  return revision !== undefined || token !== undefined || endpoint !== undefined;
}

async function isOnDisk(path: string): Promise<boolean> {
  const found = await node()
    ?.fs.stat(path)
    .catch(() => undefined);
  return found?.isDirectory() === true;
}

function named(kind: FileKind, source: FileSource): { name: string; place: Place } {
  const found = place(kind, source);
  return { name: nameOf(found) ?? kind, place: found };
}

function nameOf(place: Place): string | undefined {
  if (place.type === "memory") {
    const name = (place.bytes as { name?: unknown }).name;
    return typeof name === "string" ? name : undefined;
  }
  const path = place.type === "disk" ? place.path.replaceAll("\\", "/") : place.url.pathname;
  return path.slice(path.lastIndexOf("/") + 1);
}

function place(name: string, source: FileSource): Place {
  if (typeof source === "string" || source instanceof URL) return address(source);
  if (source instanceof Blob || source instanceof ArrayBuffer || source instanceof Uint8Array) {
    return { type: "memory", bytes: source };
  }
  throw new EncoderError(
    "invalid_input",
    `the file \`${name}\`: expected an address, a Blob, an ArrayBuffer or a Uint8Array, found ${show(source)}`,
  );
}

function address(source: string | URL): Address {
  const parts = node();
  const text = String(source);
  // A single letter before the colon is a Windows drive.
  const absolute = /^[a-z][a-z0-9+.-]+:/i.test(text);
  if (!absolute && parts !== undefined) return { type: "disk", path: parts.path.resolve(text) };
  const url = parse(text);
  if (url.protocol === "file:" && parts !== undefined) return { type: "disk", path: parts.url.fileURLToPath(url) };
  return { type: "web", url };
}

function parse(text: string): URL {
  const base =
    (globalThis as { document?: { baseURI: string }; location?: { href: string } }).document?.baseURI ??
    globalThis.location?.href;
  try {
    return new URL(text, base);
  } catch (cause) {
    throw new EncoderError("invalid_input", `the model: expected an address, found ${show(text)}`, { cause });
  }
}

/** @internal The place of a file in a folder. */
export function child(folder: Address, path: string): Address {
  if (folder.type === "disk") return { type: "disk", path: `${folder.path.replace(/[\\/]+$/, "")}/${path}` };
  const url = new URL(folder.url);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path}`;
  return { type: "web", url };
}

/** @internal How messages name a place; `name` is that of bytes in memory. */
export function describe(name: string, place: Place): string {
  if (place.type === "web") return withoutQuery(place.url);
  return place.type === "disk" ? place.path : name;
}

/** @internal An address without its query, which may hold a secret. */
export function withoutQuery(url: URL): string {
  return url.origin === "null" ? url.href : url.origin + url.pathname;
}
