// The models that are measured, and what each engine needs to load them.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "../../test/support/fixtures.mjs";

const LARGE = join(root, "target/bench-models/gte-moderncolbert-shape");

/** Every model by name; `missing` says why one is not there. */
export function allModels() {
  const fp32 = process.env.MULTIVEC_FP32_MODEL;
  const demo = {
    folder: join(root, "models/minilm-colbert"),
    type: "bert",
    lengths: [8, 32, 128, 300],
    batches: [1, 16],
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
  ];
}

export const isThere = ({ file }) => file !== undefined && existsSync(file);

/** What a worker is told of a model, by addresses of the server. */
export function addresses(model, origin) {
  const config = JSON.parse(readFileSync(join(model.folder, "onnx_config.json"), "utf8"));
  const slug = slugOf(model);
  return {
    name: slug,
    precision: model.precision,
    tokenTypes: config.uses_token_type_ids,
    url: `${origin}/transformers/${slug}/onnx/${modelFile(model)}`,
    tokenizer: `${origin}/models/${slug}/tokenizer.json`,
    config: `${origin}/models/${slug}/onnx_config.json`,
  };
}

/** Lets a server answer with the files of a model, in the layout of the Hub as well. */
export function serveModel(model, server) {
  const slug = slugOf(model);
  const bytes = readFileSync(model.file);
  server.behaviour.set(`/transformers/${slug}/onnx/${modelFile(model)}`, { body: bytes });
  // transformers.js asks for the architecture alone.
  server.behaviour.set(`/transformers/${slug}/config.json`, {
    body: JSON.stringify({ model_type: model.type }),
    type: "application/json",
  });
  for (const name of ["tokenizer.json", "onnx_config.json"]) {
    server.behaviour.set(`/models/${slug}/${name}`, {
      body: readFileSync(join(model.folder, name)),
      type: "application/json",
    });
  }
}

export const sizeOf = (model) => statSync(model.file).size;

const slugOf = ({ name }) => name.replaceAll(" ", "-");
const modelFile = ({ precision }) => (precision === "int8" ? "model_int8.onnx" : "model.onnx");
