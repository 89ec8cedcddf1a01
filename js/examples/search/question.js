// A query, and what its scores mean.
//
// MaxSim alone says little: where a good question finds a passage with 17,
// nonsense finds one with 12.8. So each row is compared with what it gets from
// unrelated passages, its background: the median over passages on many
// subjects, of which nearly all are unrelated to any query. A relevance of 0 is
// that background, 1 a passage in which each word finds itself. As the
// background does not depend on the passage, relevances rank as MaxSim does.
//
// With this model and these passages, the best relevance of 29 queries of
// nonsense had a median of 0.21, and 27 were below 0.3 or had stop words alone;
// of 35 queries on other subjects 0.23, and 30 below 0.3; of 66 questions that a
// passage answers 0.48, and 62 at least 0.3. From 0.5 on there were 31 of the
// last and none of the others.

import { matches } from "multivec";
import { isStopWord, wordAt, wordsOf } from "./words.js";

const FAIR = 0.3;
const STRONG = 0.5;

/** How a relevance should look. */
export function levelOf(relevance) {
  if (relevance >= STRONG) return "strong";
  return relevance >= FAIR ? "fair" : "weak";
}

export class Question {
  /** `{ label, isStopWord }` of each word. */
  words;
  /** Index of the word that each row is a piece of. */
  rowWords;
  /** The rows of the words. */
  rows;
  #background;

  /** `background` has embeddings of passages on many subjects. */
  static async ask(encoder, text, { background, signal }) {
    const embedding = await encoder.encodeQuery(text, { signal });
    const spans = wordsOf(text);
    // Only what was typed: this model was never trained to use its markers.
    const typed = Array.from({ length: embedding.tokens }, (_, row) => row)
      .map((row) => ({ row, token: embedding.rowTokens(row)[0] }))
      .filter(({ token }) => token?.role === "text")
      .map(({ row, token }) => ({ row, word: wordAt(spans, token.span) }));
    const words = spans.map((span) => text.slice(...span));
    // Nothing but punctuation is searched for as it is.
    const kept = words.length === 0 ? typed : typed.filter(({ word }) => word !== -1);
    return new Question(embedding, words, kept, background);
  }

  constructor(embedding, words, kept, background) {
    const { dim } = embedding;
    this.words = words.map((label) => ({ label, isStopWord: isStopWord(label) }));
    this.rowWords = kept.map(({ word }) => word);
    const data = new Float32Array(kept.length * dim);
    for (const [at, { row }] of kept.entries()) data.set(embedding.row(row), at * dim);
    this.rows = { data, dim, tokens: kept.length };
    const found = background.map((passage) => matches(this.rows, passage));
    this.#background = kept.map((_, row) => median(found.map((rows) => rows[row].score)));
  }

  /** Whether there is a word that says what a text is about. */
  get saysSomething() {
    return this.words.some(({ isStopWord }) => !isStopWord);
  }

  /** All passages, the best first, with their relevance. */
  async rank(corpus, signal) {
    const found = await corpus.search(this.rows, corpus.length, { signal });
    const background = this.#background.reduce((sum, one) => sum + one, 0);
    const room = this.rows.tokens - background;
    return found.map(({ index, score }) => ({ index, relevance: room > 0 ? (score - background) / room : 0 }));
  }

  /**
   * For each row the row of the document that it matched, and how relevant that
   * is: at most as its word, as pieces of words match by chance.
   */
  matches(document) {
    const found = matches(this.rows, document).map(({ row, score }, at) => {
      const background = this.#background[at];
      return { row, word: this.rowWords[at], relevance: background < 1 ? (score - background) / (1 - background) : 0 };
    });
    return found.map(({ row, word, relevance }) => {
      const pieces = found.filter((other) => other.word === word);
      const mean = pieces.reduce((sum, piece) => sum + piece.relevance, 0) / pieces.length;
      return { row, word, relevance: Math.min(relevance, mean) };
    });
  }
}

function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
