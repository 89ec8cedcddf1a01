// The names of files in model folders.

import type { Precision } from "../options.js";
import { decodeJson, isObject } from "./json.js";
import type { FileKind } from "./source.js";

/** @internal The configuration of an exported model, best first. */
export const CONFIGS = ["onnx_config.json", "config_sentence_transformers.json"] as const;

/** @internal */
export const TOKENIZER = "tokenizer.json";

/** @internal The graphs of an exported model, best first; in the same order as the native crate. */
export const MODELS: Record<Precision, string[]> = {
  int8: ["model_int8.onnx", "onnx/model_int8.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx"],
  fp32: ["model.onnx", "onnx/model.onnx"],
};

/** @internal Weights of a transformer, for folders that cannot be listed. */
export const WEIGHTS = ["model.safetensors", "model.safetensors.index.json", ...MODELS.int8, ...MODELS.fp32];

const OF_TRANSFORMER = [
  "config.json",
  "sentence_bert_config.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
];

/** @internal The heads of models of several kinds, beside the transformer. */
export const HEADS = ["sparse_linear.safetensors", "colbert_linear.safetensors"];

/** @internal Small files at the root, for folders that cannot be listed. */
export const ROOT = ["modules.json", ...CONFIGS.slice(1), "artifact.metadata", ...OF_TRANSFORMER];

/** @internal Small files in the folder of a module. */
export function ofModule(folder: string, isFirst: boolean): string[] {
  return (isFirst ? OF_TRANSFORMER : ["config.json"]).map((name) => join(folder, name));
}

/** @internal Says which modules queries and documents take, in the folder of a router. */
export const ROUTER = "router_config.json";

const DESCRIPTIVE = new Set<string>([...ROOT, ...CONFIGS, ROUTER]);

/** @internal Whether the engine reads what a file says before it knows which weights to load. */
export function isDescriptive(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return DESCRIPTIVE.has(name) || /^sentence_.*_config\.json$/.test(name);
}

/** @internal The folders that `modules.json` names; none if it cannot be read, which the engine reports. */
export function moduleFolders(modules: Uint8Array | undefined): string[] {
  const list = modules && decodeJson(modules);
  const paths = (Array.isArray(list) ? list : []).map((entry: unknown) => (isObject(entry) ? (entry.path ?? "") : ""));
  return paths.filter((path) => typeof path === "string").map((path) => path.replace(/^\/+|\/+$/g, ""));
}

/** @internal The folders of the modules that a router in `folder` names. */
export function routeFolders(folder: string, router: Uint8Array | undefined): string[] {
  const keys = router && decodeJson(router);
  const types = isObject(keys) && isObject(keys.types) ? Object.keys(keys.types) : [];
  return types.map((name) => join(folder, name));
}

/** @internal */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

/** @internal */
export function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** @internal */
export function kindOf(path: string): FileKind {
  if (path === TOKENIZER || path.endsWith(`/${TOKENIZER}`)) return "tokenizer";
  return path.endsWith(".json") || path.endsWith(".metadata") ? "config" : "model";
}
