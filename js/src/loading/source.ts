// Where a model can be loaded from, and the files that it has there.

import { EncoderError, show } from "../errors.js";
import type { Precision } from "../options.js";
import { node } from "../platform.js";

/** One file: an address, or its bytes, which are copied, never detached. */
export type FileSource = string | URL | Blob | ArrayBuffer | Uint8Array;

/** The three files of a model. */
export interface ModelFiles {
  /** The ONNX graph with its weights. */
  model: FileSource;
  /** `tokenizer.json`. */
  tokenizer: FileSource;
  /** `onnx_config.json` or `config_sentence_transformers.json`. */
  config: FileSource;
}

/** One of the three files. */
export type FileKind = keyof ModelFiles;

/** Address of a folder with a model in a known layout, or the model's files. */
export type ModelSource = string | URL | ModelFiles;

/** @internal Where bytes come from: the web, a disk, or memory. */
export type Place =
  | { type: "web"; url: URL }
  | { type: "disk"; path: string }
  | { type: "memory"; bytes: Blob | ArrayBuffer | Uint8Array };

/** @internal A place, and the name of the file there. */
export interface Candidate {
  name: string;
  place: Place;
  precision?: Precision;
}

const CONFIGS = ["onnx_config.json", "config_sentence_transformers.json"];
const TOKENIZERS = ["tokenizer.json"];
// In the same order as the native crate.
const MODELS: Record<Precision, string[]> = {
  int8: ["model_int8.onnx", "onnx/model_int8.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx"],
  fp32: ["model.onnx", "onnx/model.onnx"],
};

/** @internal Where each file may be, best first. */
export type Candidates = Record<FileKind, Candidate[]>;

/** @internal Whether a source is a folder, whose files have to be found. */
export function isFolder(source: ModelSource): source is string | URL {
  return typeof source === "string" || source instanceof URL;
}

/** @internal */
export function candidates(source: ModelSource, precision: Precision | undefined): Candidates {
  if (isFolder(source)) {
    const folder = address(source);
    const at = (names: string[], known?: Precision) =>
      names.map((name) => ({ name, place: child(folder, name), ...(known && { precision: known }) }));
    const models =
      precision === undefined
        ? [...at(MODELS.int8, "int8"), ...at(MODELS.fp32, "fp32")]
        : at(MODELS[precision], precision);
    return { config: at(CONFIGS), tokenizer: at(TOKENIZERS), model: models };
  }
  if (typeof source !== "object" || source === null) {
    throw new EncoderError("invalid_input", `the model: expected an address or files, found ${show(source)}`);
  }
  return {
    config: [file("config", source.config)],
    tokenizer: [file("tokenizer", source.tokenizer)],
    model: [file("model", source.model)],
  };
}

function file(kind: FileKind, source: FileSource): Candidate {
  if (typeof source === "string" || source instanceof URL) {
    const place = address(source);
    const path = place.type === "disk" ? place.path.replaceAll("\\", "/") : place.url.pathname;
    return { name: path.slice(path.lastIndexOf("/") + 1), place };
  }
  if (source instanceof Blob || source instanceof ArrayBuffer || source instanceof Uint8Array) {
    const name = (source as { name?: unknown }).name;
    return { name: typeof name === "string" ? name : kind, place: { type: "memory", bytes: source } };
  }
  throw new EncoderError(
    "invalid_input",
    `the file \`${kind}\`: expected an address, a Blob, an ArrayBuffer or a Uint8Array, found ${show(source)}`,
  );
}

type Address = Exclude<Place, { type: "memory" }>;

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

function child(folder: Address, name: string): Place {
  if (folder.type === "disk") {
    return { type: "disk", path: `${folder.path.replace(/[\\/]+$/, "")}/${name}` };
  }
  const url = new URL(folder.url);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${name}`;
  return { type: "web", url };
}

/** @internal How messages name a place. */
export function describe({ name, place }: Candidate): string {
  if (place.type === "web") return withoutQuery(place.url);
  return place.type === "disk" ? place.path : name;
}

/** @internal An address without its query, which may hold a secret. */
export function withoutQuery(url: URL): string {
  return url.origin === "null" ? url.href : url.origin + url.pathname;
}
