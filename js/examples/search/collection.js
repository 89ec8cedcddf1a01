// Passages with their embeddings.

/** Embeddings that arrive together: few, so that progress is seen, and a long text does not pile up in the worker. */
const READ_AHEAD = 16;
/** Most tokens of a passage. Longer than the model's own limit, for scripts with a token a character. */
const DOCUMENT_LENGTH = 512;

/**
 * Encodes passages in the worker. `onProgress` is called with the collection
 * each time that `documents`, the embeddings, grows: the first passages can be
 * searched while the others are encoded.
 */
export async function encodeCollection(encoder, passages, { signal, onProgress }) {
  const collection = { passages, documents: [] };
  const texts = passages.map(({ text }) => text);
  const options = { readAhead: READ_AHEAD, documentLength: DOCUMENT_LENGTH, signal };
  for await (const document of encoder.streamDocuments(texts, options)) {
    collection.documents.push(document);
    onProgress(collection);
  }
  signal?.throwIfAborted();
  return collection;
}
