// Encodes a few documents and a query, ranks the documents, and shows which
// tokens matched: `node examples/encode-and-rank.mjs [MODEL]`.

import { fileURLToPath } from "node:url";
import { Encoder, matches, rank } from "multivec";

const MODEL = fileURLToPath(new URL("../../models/minilm-colbert", import.meta.url));
const DOCUMENTS = [
  "Bees collect nectar and turn it into honey.",
  "The Moon causes the tides of the oceans.",
  "Bread rises because yeast gives off gas.",
];

const encoder = await Encoder.load(process.argv[2] ?? MODEL);
const { engine, engineVersion, precision } = encoder.info;
console.log(`${engine} ${engineVersion}, ${precision}`);

const documents = await encoder.encodeDocuments(DOCUMENTS);
const query = await encoder.encodeQuery("Which animal makes honey?");
const ranking = rank(query, documents);
for (const { index, score } of ranking) console.log(score.toFixed(2).padStart(6), DOCUMENTS[index]);

const best = documents[ranking[0].index];
for (const [row, match] of matches(query, best).entries()) {
  const [token] = query.rowTokens(row);
  // Markers and expansion tokens match something, too, but say little.
  if (token.role !== "text") continue;
  const found = best.rowTokens(match.row).map(({ text }) => text);
  console.log(`${token.text.padStart(12)} -> ${found.join(" ")} (${match.score.toFixed(2)})`);
}
encoder.dispose();
