// Streams a corpus into one safetensors file for a vector store, and reads it
// back: `node examples/store.mjs [MODEL] [FILE]`. Tensors: `rows`,
// `[rows, dim]`, all documents; `offsets`, `[documents + 1]`: document `i` has
// the rows `offsets[i]` to `offsets[i + 1]`; `ids`, one a line. The metadata
// names the embedding space.

import { open, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Embedding, Encoder, rank } from "multivec";

const MODEL = fileURLToPath(new URL("../../models/minilm-colbert", import.meta.url));
const [model = MODEL, path = join(tmpdir(), "multivec-example.safetensors")] = process.argv.slice(2);

/** Bytes kept free for the header, whose shapes are known last; spaces fill it. */
const HEADER = 4096;

const CORPUS = [
  ["bees", "Bees make honey."],
  ["moon", "The Moon causes tides."],
];

const encoder = await Encoder.load(model);
await write(CORPUS);
const { ids, documents } = await read();
const [best] = rank(await encoder.encodeQuery("Which animal makes honey?"), documents);
console.log(`${path}: found ${ids[best.index]}`);
encoder.dispose();

/** Never holds more embeddings than one read-ahead. */
async function write(corpus) {
  const { dim, fingerprint } = encoder.info;
  const ids = [];
  function* texts() {
    for (const [id, text] of corpus) {
      ids.push(id);
      yield text;
    }
  }
  const file = await open(path, "w");
  try {
    let rows = 0;
    let end = 8 + HEADER;
    const append = async (bytes) => {
      await file.write(bytes, 0, bytes.byteLength, end);
      end += bytes.byteLength;
    };
    const offsets = [0n];
    for await (const { data, tokens } of encoder.streamDocuments(texts())) {
      await append(data);
      rows += tokens;
      offsets.push(BigInt(rows));
    }
    const header = { __metadata__: { space: fingerprint.space } };
    let start = 0;
    const add = (name, dtype, shape, bytes) => {
      header[name] = { dtype, shape, data_offsets: [start, start + bytes] };
      start += bytes;
    };
    const lines = new TextEncoder().encode(ids.map((id) => `${id}\n`).join(""));
    add("rows", "F32", [rows, dim], rows * dim * 4);
    add("offsets", "U64", [offsets.length], offsets.length * 8);
    add("ids", "U8", [lines.length], lines.length);
    await append(BigUint64Array.from(offsets));
    await append(lines);
    await file.write(BigUint64Array.of(BigInt(HEADER)), 0, 8, 0);
    await file.write(JSON.stringify(header).padEnd(HEADER), 8);
  } finally {
    await file.close();
  }
}

/** Refuses vectors of another embedding space. */
async function read() {
  const { buffer } = new Uint8Array(await readFile(path));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, HEADER)));
  encoder.checkSpace(header.__metadata__.space);
  const tensor = (name, Type) => {
    const [start, end] = header[name].data_offsets;
    return new Type(buffer.slice(8 + HEADER + start, 8 + HEADER + end));
  };
  const [, dim] = header.rows.shape;
  const rows = tensor("rows", Float32Array);
  const offsets = Array.from(tensor("offsets", BigUint64Array), Number);
  const documents = offsets
    .slice(1)
    .map((end, index) => Embedding.fromRows(rows.slice(offsets[index] * dim, end * dim), dim));
  return { ids: new TextDecoder().decode(tensor("ids", Uint8Array)).trimEnd().split("\n"), documents };
}
