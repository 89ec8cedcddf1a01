// The fixtures of the repository, which the Rust tests use as well.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));
export const fixtures = join(root, "tests/fixtures");
export const demoModel = join(root, "models/minilm-colbert");

/** Folder with the files of a model. */
export function modelFolder(name) {
  return name === "minilm-colbert" ? demoModel : join(fixtures, name);
}

const ARRAYS = { F32: Float32Array, I64: BigInt64Array };

/** The matrices of a safetensors file, by name: `{ data, shape }`. */
export function readSafetensors(path) {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerLength));
  delete header.__metadata__;
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    const Values = ARRAYS[dtype];
    if (Values === undefined) throw new Error(`${path}: ${name}: expected F32 or I64, found ${dtype}`);
    const bytes = file.subarray(8 + headerLength + offsets[0], 8 + headerLength + offsets[1]);
    // A copy, because the bytes may be unaligned.
    tensors[name] = { data: new Values(Uint8Array.from(bytes).buffer), shape };
  }
  return tensors;
}

/** PyLate's results for a model: texts, ids and matrices. */
export function reference(name) {
  const folder = join(fixtures, name);
  return {
    ...JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")),
    tensors: readSafetensors(join(folder, "reference.safetensors")),
  };
}

/** The three files as bytes. */
export function modelFiles(name, model = "model_int8.onnx") {
  const read = (file) => new Uint8Array(readFileSync(join(modelFolder(name), file)));
  return { model: read(model), tokenizer: read("tokenizer.json"), config: read("onnx_config.json") };
}

export const hubFixtures = join(fixtures, "hub");

/** Names of the models that are laid out as on hubs, with references. */
export const hubModels = readdirSync(hubFixtures).filter((name) => name.startsWith("mv-"));

/** The files of such a model by their paths. */
export function hubFiles(name) {
  const folder = join(hubFixtures, name);
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return Object.fromEntries(
    paths.map((path) => [path.slice(folder.length + 1).replaceAll("\\", "/"), new Uint8Array(readFileSync(path))]),
  );
}

const familyFixtures = join(fixtures, "families");

/** Names of the graphs of all families of encoders, with their folders. */
export const familyModels = readdirSync(familyFixtures, { recursive: true })
  .filter((path) => path.endsWith(".onnx"))
  .map((path) => path.slice(0, -".onnx".length).replaceAll("\\", "/"))
  .sort();

/** The files of such a graph, and what plain ONNX Runtime gives for the texts. */
export function family(name) {
  const read = (file) => readFileSync(join(familyFixtures, file));
  return {
    files: {
      model: new Uint8Array(read(`${name}.onnx`)),
      tokenizer: new Uint8Array(read("tokenizer.json")),
      config: new Uint8Array(read("onnx_config.json")),
    },
    texts: JSON.parse(read("inputs.json").toString()),
    rows: readSafetensors(join(familyFixtures, `${name}.safetensors`)),
    isRefused: JSON.parse(read("expected.json").toString()).refused.tract?.[name] !== undefined,
  };
}
