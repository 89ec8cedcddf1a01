// Every error that a test can cause. No imports, so that pages can use it.

const HASH = "0".repeat(64);
const bytes = (text) => new TextEncoder().encode(text);

/**
 * Runs every case and returns what each threw. `files` are the bytes of a tiny
 * FP32 model, `origin` a server set up by `misbehave`, `refused` one that
 * other origins may not read.
 */
export async function runErrorCases(multivec, { files, origin, refused, options }) {
  const { Embedding, Encoder, EncoderError, maxSim, rank } = multivec;
  const load = (changes = {}, more = {}) =>
    Encoder.load({ ...files, ...changes }, { cache: false, ...options, ...more });
  const config = (changes) =>
    bytes(JSON.stringify({ ...JSON.parse(new TextDecoder().decode(files.config)), ...changes }));
  const vocabulary = JSON.parse(new TextDecoder().decode(files.tokenizer));
  vocabulary.model.vocab.extraordinary = 2050;
  const larger = bytes(JSON.stringify(vocabulary));
  const renamed = replaced(files.model, "input_ids", "input_idz");
  const unknown = replaced(replaced(files.model, "Softmax", "Softest"), "Transpose", "Transport");
  // The weights of the projection, the last in the file.
  const spoilt = files.model.slice().fill(0xff, -2000, -1000);
  const encoder = await load();
  const disposed = await load();
  disposed.dispose();
  const row = (dim) => Embedding.fromRows(new Float32Array(dim), dim);

  const cases = [
    ["http", "a missing file", () => load({ model: `${origin}/missing.onnx` })],
    ["missing_file", "a missing folder", () => Encoder.load(`${origin}/missing/`, options)],
    ["network", "no answer, or CORS", () => load({ model: `${refused}/model.onnx` })],
    ["not_a_model", "a web page", () => load({ model: `${origin}/page.onnx` })],
    ["not_a_model", "a web page without its type", () => load({ tokenizer: bytes("<!DOCTYPE html><html></html>") })],
    ["integrity", "a wrong SHA-256", () => load({}, { sha256: { config: HASH } })],
    ["out_of_memory", "a length that nothing can hold", () => load({ model: `${origin}/huge.onnx` })],
    ["config_syntax", "a configuration that is no JSON", () => load({ config: bytes("{") })],
    ["config_value", "a configuration without a key", () => load({ config: bytes("{}") })],
    [
      "config_value",
      "a marker that is not in the vocabulary",
      () => load({ config: config({ query_prefix: "[nowhere]", query_prefix_id: null }) }),
    ],
    ["invalid_tokenizer", "a tokenizer that is none", () => load({ tokenizer: bytes("{}") })],
    ["invalid_model", "a model that is none", () => load({ model: bytes("no protobuf at all") })],
    ["invalid_model", "a model that was cut off", () => load({ model: files.model.slice(0, files.model.length / 2) })],
    ["invalid_model", "operators that do not exist", () => load({ model: unknown })],
    ["config_value", "another dimension than the model's", () => load({ config: config({ embedding_dim: 31 }) })],
    [
      "invalid_file",
      "weights that were cut off",
      () => {
        const config = { architectures: ["HF_ColBERT"], model_type: "bert", hidden_size: 64 };
        const folder = { "config.json": bytes(JSON.stringify(config)), "tokenizer.json": files.tokenizer };
        return Encoder.load({ ...folder, "model.safetensors": bytes("\x10\0\0\0\0\0\0\0{") }, options);
      },
    ],
    ["model_mismatch", "an input by another name", () => load({ model: renamed })],
    ["model_mismatch", "a vocabulary larger than the model's", () => load({ tokenizer: larger })],
    ["invalid_option", "an unknown precision", () => load({}, { precision: "int4" })],
    ["invalid_option", "the other precision", () => load({}, { precision: "int8" })],
    ["invalid_option", "an unknown build", () => load({}, { wasm: "fast" })],
    ["invalid_option", "no thread", () => load({}, { threads: 0 })],
    ["unsupported", "threads without a page that is isolated", () => load({}, { threads: 2 })],
    ["invalid_option", "no room for a query", () => load({}, { queryLength: 1 })],
    ["invalid_option", "no batch", () => encoder.encodeDocuments(["a"], { batchSize: 0 })],
    ["invalid_option", "two limits", () => encoder.encodeDocuments(["a"], { batchSize: 1, tokenBudget: 1 })],
    ["invalid_option", "an unknown choice", () => encoder.encodeQuery("a", { queryExpansion: true })],
    ["invalid_option", "other normalization than loaded", () => encoder.encodeQuery("a", { normalization: "off" })],
    ["invalid_option", "a string for the texts", () => encoder.encodeDocuments("text")],
    ["invalid_option", "a text that is none", () => encoder.encodeDocuments(["a", 7])],
    ["invalid_input", "no source", () => Encoder.load(undefined, options)],
    ["invalid_input", "a file that is none", () => load({ model: 7 })],
    ["text_too_long", "a long text", () => encoder.encodeDocuments(["a ".repeat(100)], { truncation: "error" })],
    [
      "non_finite_vector",
      "weights that are NaN",
      async () => {
        const own = await load({ model: spoilt });
        try {
          await own.encodeQuery("a");
        } finally {
          own.dispose();
        }
      },
    ],
    ["dimension_mismatch", "scores", () => maxSim(row(2), row(3))],
    ["dimension_mismatch", "ranks", () => rank(row(2), [row(3)])],
    ["dimension_mismatch", "stored rows", () => Embedding.fromRows(new Float32Array(3), 2)],
    ["disposed", "a call after the end", () => disposed.encodeQuery("a")],
    ["disposed", "tokens after the end", () => disposed.tokenize(["a"], "query")],
    [
      "disposed",
      "a call at the end",
      async () => {
        const own = await load();
        const call = own.encodeDocuments(Array(50).fill("text"), { batchSize: 1 });
        own.dispose();
        await call;
      },
    ],
  ];

  const outcomes = [];
  for (const [code, name, run] of cases) {
    const outcome = { name, expected: code };
    try {
      await run();
    } catch (error) {
      outcome.code = error instanceof EncoderError ? error.code : `no EncoderError: ${error}`;
      outcome.message = error.message;
    }
    // A failed call must leave the encoder usable.
    outcome.tokens = (await encoder.encodeQuery("still there")).tokens;
    outcomes.push(outcome);
  }
  encoder.dispose();
  return outcomes;
}

/** Sets up the answers that the cases need. */
export function misbehave(server) {
  server.behaviour.set("/page.onnx", { body: "<!doctype html><title>home</title>", type: "text/html" });
  server.behaviour.set("/huge.onnx", { body: "x", headers: { "content-length": "900000000000000" } });
}

/** Bytes with a text replaced by another of the same length. */
function replaced(original, from, to) {
  const [wanted, other] = [bytes(from), bytes(to)];
  const found = original.slice();
  for (let at = 0; at + wanted.length <= found.length; at += 1) {
    if (wanted.every((byte, offset) => found[at + offset] === byte)) found.set(other, at);
  }
  return found;
}
