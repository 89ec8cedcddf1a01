// Passages with their embeddings.

/** Embeddings that are asked for ahead, so that a long text does not pile up in the worker. */
const READ_AHEAD = 64;
/** Most tokens of a passage. Longer than the model's own limit, for scripts with a token a character. */
const DOCUMENT_LENGTH = 512;

/** Encodes passages in the worker; `onProgress` is called with their number so far. */
export async function encodeCollection(encoder, passages, { signal, onProgress }) {
  const documents = [];
  const texts = passages.map(({ text }) => text);
  const options = { readAhead: READ_AHEAD, documentLength: DOCUMENT_LENGTH, signal };
  for await (const document of encoder.streamDocuments(texts, options)) {
    documents.push(document);
    onProgress(documents.length);
  }
  signal?.throwIfAborted();
  return { passages, documents };
}
