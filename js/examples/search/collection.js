// Passages with their embeddings, which are searched in the encoder's worker.

import { Corpus } from "multivec";

/** Embeddings that arrive together: few, so that progress is seen, and a long text does not pile up in the worker. */
const READ_AHEAD = 16;
/** Most tokens of a passage. Longer than the model's own limit, for scripts with a token a character. */
const DOCUMENT_LENGTH = 512;

/**
 * Encodes passages in the worker. `onProgress` is called with the collection
 * each time that `documents`, the embeddings, and `corpus` grow: the first
 * passages can be searched while the others are encoded.
 */
export async function encodeCollection(encoder, passages, { signal, onProgress }) {
  const collection = { passages, documents: [], corpus: await Corpus.from([], { encoder }) };
  let encoded = [];
  const add = async () => {
    await collection.corpus.append(encoded);
    collection.documents.push(...encoded);
    encoded = [];
    onProgress(collection);
  };
  const texts = passages.map(({ text }) => text);
  const options = { readAhead: READ_AHEAD, documentLength: DOCUMENT_LENGTH, signal };
  for await (const document of encoder.streamDocuments(texts, options)) {
    encoded.push(document);
    if (encoded.length === READ_AHEAD) await add();
  }
  await add();
  signal?.throwIfAborted();
  return collection;
}

/** Brings a collection into the worker of another encoder, where its own has ended. */
export async function moveCollection(collection, encoder) {
  collection.corpus = await Corpus.from(collection.documents, { encoder });
}
