import type { TokenColumns } from "./wasm.js";

/** Where a token comes from: the tokenizer's special tokens, the model's marker, the text, or query expansion. */
export type TokenRole = "special" | "prefix" | "text" | "expansion";

const ROLES: readonly TokenRole[] = ["special", "prefix", "text", "expansion"];

/** A token of a text. */
export interface Token {
  /** Its id in the vocabulary. */
  id: number;
  /** How the vocabulary spells it; empty for an id that it lacks. */
  text: string;
  /** Where it comes from. */
  role: TokenRole;
  /**
   * Its place in the given text: `text.slice(...span)`. `null` for tokens
   * that are not from the text.
   */
  span: readonly [start: number, end: number] | null;
}

/** A text as the model sees it. Every list has one entry a token. */
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
  /** The place of each token in the text, see {@link Token.span}. */
  spans: (readonly [start: number, end: number] | null)[];
  /** How much of the text did not fit. */
  truncation: Truncation;
}

/** How much of a text did not fit. */
export interface Truncation {
  /** Tokens of the text that were encoded, special tokens not counted. */
  keptTokens: number;
  /** Tokens of the text that were truncated. */
  droppedTokens: number;
  /** Whether any were. */
  truncated: boolean;
}

/** @internal */
export function truncationOf(keptTokens = 0, droppedTokens = 0): Truncation {
  return { keptTokens, droppedTokens, truncated: droppedTokens > 0 };
}

/** @internal Tokens in columns, and the spellings of their ids. */
export interface Tokens {
  ids: Uint32Array;
  roles: Uint8Array;
  /** Start and end of each token. */
  spans: Uint32Array;
  spellings: Spellings;
}

/** @internal */
export function tokenAt({ ids, roles, spans, spellings }: Tokens, at: number): Token {
  const role = ROLES[roles[at] ?? 0] ?? "special";
  const id = ids[at] ?? 0;
  return {
    id,
    text: spellings.of(id),
    role,
    span: role === "text" ? [spans[2 * at] ?? 0, spans[2 * at + 1] ?? 0] : null,
  };
}

/**
 * How the vocabulary spells ids, collected from the results of calls.
 *
 * @internal
 */
export class Spellings {
  readonly #spellings = new Map<number, string>();

  /** Adds those of a call. */
  add({ spelledIds, spellings }: Pick<TokenColumns, "spelledIds" | "spellings">): void {
    for (const [at, id] of spelledIds.entries()) this.#spellings.set(id, spellings[at] ?? "");
  }

  /** Those of `ids` that are not known, each once. */
  missing(ids: Uint32Array): Uint32Array {
    return Uint32Array.from(new Set(ids.filter((id) => !this.#spellings.has(id))));
  }

  of(id: number): string {
    return this.#spellings.get(id) ?? "";
  }
}
