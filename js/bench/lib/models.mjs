// The models that are measured, and what each engine needs to load them.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "../../test/support/fixtures.mjs";

const LARGE = join(root, "target/bench-models/gte-moderncolbert-shape");
const DENSE = join(root, "target/bench-models/all-minilm-l6-v2");

/** Every model of a kind; `missing` says why one is not there. */
export const modelsOf = (kind) => allModels().filter((model) => model.kind === kind);

function allModels() {
  const fp32 = process.env.MULTIVEC_FP32_MODEL;
  const exported = { kind: "multi-vector", small: ["tokenizer.json", "onnx_config.json"] };
  const demo = {
    ...exported,
    folder: join(root, "models/minilm-colbert"),
    type: "bert",
    lengths: [8, 32, 128, 300],
    batches: [1, 16],
  };
  const dense = {
    kind: "dense",
    small: [
      "tokenizer.json",
      "tokenizer_config.json",
      "config.json",
      "config_sentence_transformers.json",
      "modules.json",
      "sentence_bert_config.json",
      "1_Pooling/config.json",
    ],
    folder: DENSE,
    lengths: [24, 128, 300],
    batches: [1, 16],
    missing: "`cargo xtask bench-model all-minilm-l6-v2` did not make it",
  };
  return [
    { ...demo, name: "minilm-colbert int8", precision: "int8", file: join(demo.folder, "model_int8.onnx") },
    {
      ...demo,
      name: "minilm-colbert fp32",
      precision: "fp32",
      file: fp32 && resolve(fp32),
      missing: "MULTIVEC_FP32_MODEL is not the path of its model.onnx",
    },
    {
      ...exported,
      name: "gte-moderncolbert-shape int8",
      folder: LARGE,
      type: "modernbert",
      precision: "int8",
      file: join(LARGE, "model_int8.onnx"),
      lengths: [8, 32, 128, 300],
      // 16 texts of 300 tokens take half a minute.
      batches: [1],
      missing: "`cargo xtask bench-model` did not make it",
    },
    {
      ...dense,
      name: "all-minilm-l6-v2 int8",
      precision: "int8",
      file: join(DENSE, "onnx/model_quint8_avx2.onnx"),
    },
    { ...dense, name: "all-minilm-l6-v2 fp32", precision: "fp32", file: join(DENSE, "onnx/model.onnx") },
  ];
}

export const isThere = ({ file }) => file !== undefined && existsSync(file);

/** The files of a model by their paths in its folder, as bytes. */
export function contentOf(model) {
  const small = model.small.map((path) => [path, new Uint8Array(readFileSync(join(model.folder, path)))]);
  return Object.fromEntries([...small, [graphOf(model), new Uint8Array(readFileSync(model.file))]]);
}

/** What a worker is told of a model, by addresses of the server. */
export function addresses(model, origin) {
  const folder = `${origin}/${folderOf(model)}`;
  const files = Object.fromEntries([...model.small, graphOf(model)].map((path) => [path, `${folder}/${path}`]));
  const hasTokenTypes = model.small.includes("onnx_config.json")
    ? JSON.parse(readFileSync(join(model.folder, "onnx_config.json"), "utf8")).uses_token_type_ids
    : undefined;
  return {
    name: slugOf(model),
    kind: model.kind,
    precision: model.precision,
    tokenTypes: hasTokenTypes,
    graph: files[graphOf(model)],
    files,
  };
}

/** Lets a server answer with the files of a model, in the layout of the Hub. */
export function serveModel(model, server) {
  for (const [path, body] of Object.entries(contentOf(model))) {
    const type = path.endsWith(".json") ? "application/json" : undefined;
    server.behaviour.set(`/${folderOf(model)}/${path}`, { body, type });
  }
  // Of an exported model, transformers.js asks for the architecture alone.
  if (model.type !== undefined) {
    const body = JSON.stringify({ model_type: model.type });
    server.behaviour.set(`/${folderOf(model)}/config.json`, { body, type: "application/json" });
  }
}

export const sizeOf = (model) => statSync(model.file).size;

const slugOf = ({ name }) => name.replaceAll(" ", "-");
const folderOf = (model) => `transformers/${slugOf(model)}`;
/** The name by which transformers.js asks for that precision. */
const graphOf = ({ precision }) => (precision === "int8" ? "onnx/model_int8.onnx" : "onnx/model.onnx");
