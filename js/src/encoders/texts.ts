import { type CallOptions, encodeOptions, type StreamOptions, type TextKind } from "../options.js";
import { parts } from "../stream.js";
import { splitTokens } from "../tokenized.js";
import { Spellings, type TokenizedText } from "../tokens.js";
import { BaseEncoder, type Texts } from "./base.js";

/** What encoders of single texts have; `E` is the embedding of one. */
export abstract class EmbeddingEncoder<E> extends BaseEncoder {
  /** @internal */
  protected readonly spellings = new Spellings();

  /**
   * Encodes documents: one embedding a text, in input order. Multi-vectors
   * have no rows for padding and for tokens on the skiplist.
   *
   * @throws EncoderError `text_too_long` where truncation is ruled out,
   *   `non_finite_vector`, `invalid_option`, `inference`, `out_of_memory`,
   *   `disposed`, `panicked` or `worker`
   */
  encodeDocuments(texts: readonly string[], options?: CallOptions): Promise<E[]> {
    return this.#encode(texts, "document", options);
  }

  /**
   * Encodes queries: one embedding a text, in input order.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  encodeQueries(texts: readonly string[], options?: CallOptions): Promise<E[]> {
    return this.#encode(texts, "query", options);
  }

  /**
   * Encodes one query.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  async encodeQuery(text: string, options?: CallOptions): Promise<E> {
    const [embedding] = await this.#encode([text], "query", options);
    return embedding as E;
  }

  /**
   * Encodes one document.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  async encodeDocument(text: string, options?: CallOptions): Promise<E> {
    const [embedding] = await this.#encode([text], "document", options);
    return embedding as E;
  }

  /**
   * Encodes documents as they are read, for corpora larger than memory:
   * embeddings in input order. No more than `readAhead` texts and their
   * embeddings are held, and at most about a million characters of text. A
   * loop that ends early also ends reading.
   *
   * @throws EncoderError as {@link encodeDocuments}, on iteration; positions
   *   of texts count from the first of the stream
   */
  streamDocuments(
    texts: Iterable<string> | AsyncIterable<string>,
    options?: StreamOptions,
  ): AsyncGenerator<E, void, undefined> {
    return this.#stream(texts, "document", options);
  }

  /**
   * Encodes queries as they are read, see {@link streamDocuments}.
   *
   * @throws EncoderError as {@link streamDocuments}
   */
  streamQueries(
    texts: Iterable<string> | AsyncIterable<string>,
    options?: StreamOptions,
  ): AsyncGenerator<E, void, undefined> {
    return this.#stream(texts, "query", options);
  }

  /**
   * The tokens of texts in this model, and which of them are kept as rows.
   *
   * @throws EncoderError as {@link encodeDocuments}
   */
  async tokenize(texts: readonly string[], kind: TextKind, options?: CallOptions): Promise<TokenizedText[]> {
    options?.signal?.throwIfAborted();
    const tokens = await this.engine.tokenize({ texts, kind, options: encodeOptions(this.options, options) });
    return splitTokens(tokens, this.spellings);
  }

  /** @internal Asks how tokens are spelled that were not among those of earlier calls. */
  protected async spell(ids: Uint32Array): Promise<void> {
    const spelledIds = this.spellings.missing(ids);
    if (spelledIds.length > 0) this.spellings.add({ spelledIds, spellings: await this.engine.spell(spelledIds) });
  }

  /** @internal The embeddings of a call. */
  protected abstract embeddings(texts: Texts, options: CallOptions | undefined): Promise<E[]>;

  #encode(texts: readonly string[], kind: TextKind, options: CallOptions | undefined, before = 0): Promise<E[]> {
    return this.embeddings({ texts, kind, before }, options);
  }

  async *#stream(
    texts: Iterable<string> | AsyncIterable<string>,
    kind: TextKind,
    options: StreamOptions = {},
  ): AsyncGenerator<E, void, undefined> {
    for await (const part of parts(texts, options)) {
      for (const embedding of await this.#encode(part.texts, kind, options, part.before)) {
        options.signal?.throwIfAborted();
        yield embedding;
      }
    }
  }
}
