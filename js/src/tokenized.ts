import { tokenAt, truncationOf, type TokenizedText } from "./tokens.js";
import type { TokenizedTexts } from "./wasm.js";

/** @internal The tokens of a call, text by text. */
export function splitTokens(all: TokenizedTexts, strings: string[]): TokenizedText[] {
  let start = 0;
  return Array.from(all.lengths, (length, text) => {
    const end = start + length;
    const tokens = Array.from({ length }, (_, at) => tokenAt(all.ids, all.roles, all.spans, start + at));
    const found: TokenizedText = {
      ids: all.ids.slice(start, end),
      texts: strings.slice(start, end),
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
