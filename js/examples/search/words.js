// Words of a text: what people point at, where the model has pieces of words.

// Scripts without spaces have a character a word, as far as matches go.
const WORD =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]|[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*/gu;

/** The words of a text as `[start, end]`. */
export function wordsOf(text) {
  return Array.from(text.matchAll(WORD), ({ 0: word, index }) => [index, index + word.length]);
}

/** Position of the word that a span begins in; -1 where there is none, as for punctuation. */
export function wordAt(words, [start]) {
  return words.findIndex(([from, to]) => from <= start && start < to);
}

// English, as the demo model.
const STOP_WORDS = new Set(
  `a about after again all also am an and any are aren't as at be because been before being between both but by can
  can't could couldn't did didn't do does doesn't doing don't down during each few for from had has have having he her
  here hers him his how i i'm if in into is isn't it it's its just let me more most my no nor not of off on once only or
  other our out over own please same shall she should so some such tell than that that's the their theirs them then
  there there's these they this those through to too under until up upon very was wasn't we were what what's when where
  where's which while who who's whom whose why will with would you your yours`.split(/\s+/),
);

/** Whether a word says nothing of what a text is about. */
export function isStopWord(word) {
  return STOP_WORDS.has(word.toLowerCase().replaceAll("’", "'"));
}
