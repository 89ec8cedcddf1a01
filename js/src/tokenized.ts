import { type Spellings, type TokenizedText, tokenAt, truncationOf } from "./tokens.js";
import type { TokenizedTexts } from "./wasm.js";

/** @internal Splits the tokens of a call by text. */
export function splitTokens(all: TokenizedTexts, spellings: Spellings): TokenizedText[] {
  spellings.add(all);
  let start = 0;
  return Array.from(all.lengths, (length, text) => {
    const end = start + length;
    const tokens = Array.from({ length }, (_, at) => tokenAt({ ...all, spellings }, start + at));
    const found: TokenizedText = {
      ids: all.ids.slice(start, end),
      texts: tokens.map(({ text }) => text),
      attention: Array.from(all.attention.subarray(start, end), Boolean),
      kept: Array.from(all.kept.subarray(start, end), Boolean),
      roles: tokens.map(({ role }) => role),
      spans: tokens.map(({ span }) => span),
      truncation: truncationOf(all.keptTokens[text], all.droppedTokens[text]),
    };
    start = end;
    return found;
  });
}
