// Fails if a model's vectors are not what they should be, a check for
// continuous integration: `node examples/verify.mjs [MODEL]`. A text gives the
// same vectors alone and in a batch, and, where the folder has both, INT8
// gives nearly those of FP32.

import { fileURLToPath } from "node:url";
import { Encoder } from "multivec";

const MODEL = fileURLToPath(new URL("../../models/minilm-colbert", import.meta.url));
const model = process.argv[2] ?? MODEL;
const TEXTS = [
  "Bees collect nectar and turn it into honey.",
  "The Moon causes the tides of the oceans.",
  "Bread rises because yeast gives off gas; without it, dough stays as flat as it was rolled.",
  "Paris",
];
const LARGEST_DIFFERENCE = 1e-4;
const LEAST_COSINE = 0.99;

/** Products of rows at the same place, which are cosines: rows have length 1. */
function cosines(left, right) {
  return left.flatMap((one, text) =>
    Array.from({ length: one.tokens }, (_, row) => {
      const other = right[text].row(row);
      return one.row(row).reduce((sum, value, column) => sum + value * other[column], 0);
    }),
  );
}

function difference(left, right) {
  return Math.max(
    ...left.flatMap(({ data }, text) => Array.from(data, (value, at) => Math.abs(value - right[text].data[at]))),
  );
}

const encoder = await Encoder.load(model);
const batch = await encoder.encodeDocuments(TEXTS);
const alone = await encoder.encodeDocuments(TEXTS, { batchSize: 1 });
const largest = difference(batch, alone);
const checks = [[largest <= LARGEST_DIFFERENCE, `alone and in a batch ${largest.toExponential(1)} apart`]];

const fp32 = await Encoder.load(model, { precision: "fp32" }).catch((error) => {
  if (error.code === "missing_file") return undefined;
  throw error;
});
if (fp32 !== undefined) {
  const all = cosines(batch, await fp32.encodeDocuments(TEXTS));
  const mean = all.reduce((sum, one) => sum + one) / all.length;
  checks.push([mean >= LEAST_COSINE, `mean cosine to FP32 ${mean.toFixed(5)}`]);
}

encoder.dispose();
fp32?.dispose();
for (const [passed, what] of checks) console.log(passed ? "ok    " : "FAILED", what);
// Comparisons with NaN are false, so that it fails as well.
process.exitCode = checks.every(([passed]) => passed) ? 0 : 1;
