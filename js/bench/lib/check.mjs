// Outputs are compared before anything is timed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compare } from "../../test/support/compare.mjs";
import { hubFixtures, readSafetensors, reference } from "../../test/support/fixtures.mjs";
import { textsOfLength, tokenized } from "./texts.mjs";

/** The least mean cosine to the reference. */
const LEAST = {
  "multi-vector": { fp32: 0.9999, int8: 0.9 },
  dense: { fp32: 0.99999, int8: 0.95 },
};

/** Holds the rows of every engine against a reference; refuses those that are far from it. */
export async function checkEngines(page, model, engines, encoder) {
  const { name, texts, rows } = await referenceOf(model, encoder, page, engines);
  const least = LEAST[model.kind][model.precision];
  for (const engine of engines) {
    const all = [];
    for (const [index, text] of texts.entries()) {
      const found = await vectorsOf(page, engine, `check ${index}`, [text]);
      const count = model.kind === "dense" ? 1 : text.kept.filter(Boolean).length;
      all.push({ ...compare(found, rows[index], found.length / count), count });
    }
    const total = all.reduce((sum, { count }) => sum + count, 0);
    engine.cosineMean = all.reduce((sum, { mean, count }) => sum + mean * count, 0) / total;
    engine.cosineLeast = Math.min(...all.map(({ lowest }) => lowest));
    console.log(
      `${engine.name}: cosine to ${name} ${engine.cosineMean.toFixed(4)}, least ${engine.cosineLeast.toFixed(4)}`,
    );
    if (!(engine.cosineMean >= least)) {
      throw new Error(`${engine.name}: mean cosine to ${name}: expected at least ${least}, found ${engine.cosineMean}`);
    }
  }
  return name;
}

/** The rows of the library that made the model where there are some, else those of onnxruntime-web. */
async function referenceOf(model, encoder, page, engines) {
  const all = async (texts) => {
    const found = [];
    for (const text of texts) found.push(await tokenized(encoder, text));
    return found;
  };
  if (model.kind === "dense") {
    const folder = join(hubFixtures, "real/dense-all-minilm-l6-v2");
    const { documents } = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8"));
    const { data, shape } = readSafetensors(join(folder, "reference.safetensors")).documents;
    const rows = documents.map((_, at) => data.subarray(at * shape[1], (at + 1) * shape[1]));
    return { name: "sentence-transformers in FP32", texts: await all(documents), rows };
  }
  if (model.name.startsWith("minilm-colbert")) {
    const { documents, tensors } = reference("minilm-colbert");
    const texts = await all(documents.map(({ text }) => text));
    return { name: "PyLate in FP32", texts, rows: texts.map((_, index) => tensors[`documents.${index}`].data) };
  }
  const texts = [];
  for (const length of [8, 32, 128]) texts.push(...(await textsOfLength(encoder, length, 2)));
  const base = engines.find(({ engine }) => engine === "onnxruntime-web");
  const rows = [];
  for (const [index, text] of texts.entries()) rows.push(await vectorsOf(page, base, `reference ${index}`, [text]));
  return { name: "onnxruntime-web", texts, rows };
}

async function vectorsOf(page, { name }, id, texts) {
  await page.call(name, "prepare", { name: id, texts });
  return page.vectors(name, { name: id });
}
