/** Where a token comes from: the tokenizer, the model's marker, the text, or query expansion. */
export type TokenRole = "special" | "prefix" | "text" | "expansion";

const ROLES: readonly TokenRole[] = ["special", "prefix", "text", "expansion"];

/** @internal */
export function roleOf(code: number | undefined): TokenRole {
  return ROLES[code ?? 0] ?? "special";
}

/** A token of a text. */
export interface Token {
  /** Its id in the vocabulary. */
  id: number;
  /** Where it comes from. */
  role: TokenRole;
  /**
   * What it stands for in the text as given: `text.slice(...span)`. `null`
   * for tokens that are not from the text.
   */
  span: readonly [start: number, end: number] | null;
}

/** A text as the model sees it: one entry a token in every list. */
export interface TokenizedText {
  /** Token ids. */
  ids: Uint32Array;
  /** The tokens as the vocabulary spells them. */
  texts: string[];
  /** Which tokens the model attends to. */
  attention: boolean[];
  /** Which tokens become rows of the embedding. */
  kept: boolean[];
  /** Where each token comes from. */
  roles: TokenRole[];
  /** What each token stands for in the text, see {@link Token.span}. */
  spans: (readonly [start: number, end: number] | null)[];
  /** How much of the text did not fit. */
  truncation: Truncation;
}

/** How much of a text did not fit. */
export interface Truncation {
  /** Tokens of the text that were encoded, special tokens not counted. */
  keptTokens: number;
  /** Tokens of the text that were cut off. */
  droppedTokens: number;
  /** Whether anything was cut off. */
  truncated: boolean;
}

/** @internal */
export function truncationOf(keptTokens = 0, droppedTokens = 0): Truncation {
  return { keptTokens, droppedTokens, truncated: droppedTokens > 0 };
}

/** @internal */
export function tokenAt(ids: Uint32Array, roles: Uint8Array, spans: Uint32Array, at: number): Token {
  const role = roleOf(roles[at]);
  return {
    id: ids[at] ?? 0,
    role,
    span: role === "text" ? [spans[2 * at] ?? 0, spans[2 * at + 1] ?? 0] : null,
  };
}
