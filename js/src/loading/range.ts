// Which bytes a response has, and memory for them.

import { allocate } from "./verify.js";

/** @internal The value for a later `If-Range`. */
export function validatorOf(response: Response): string | null {
  const etag = response.headers.get("etag");
  // Weak ETags do not promise equal bytes.
  if (etag !== null && !etag.startsWith("W/")) return etag;
  return response.headers.get("last-modified");
}

/**
 * Whether a response holds the bytes from `start` to `length`; `undefined`
 * where it holds the whole file or anything else.
 *
 * @internal
 */
export function rangeOf(response: Response, start: number, length: number): true | undefined {
  if (response.status !== 206) return undefined;
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  // Other origins seldom expose this header; then the length has to do.
  if (range === null) return Number(response.headers.get("content-length")) === length - start || undefined;
  return (Number(range[1]) === start && Number(range[2]) === length - 1 && Number(range[3]) === length) || undefined;
}

/** @internal Collects bytes, whose total number may be unknown. */
export class Range {
  bytes: Uint8Array;
  loaded: number;
  /** Bytes of the whole file; `null` if unknown. */
  total: number | null;
  /** Whether more came than was announced, as from a compressed response. */
  overflowed = false;
  readonly #where: string;

  constructor(bytes: Uint8Array, loaded: number, total: number | null, where: string) {
    this.bytes = bytes;
    this.loaded = loaded;
    this.total = total;
    this.#where = where;
  }

  /** The length of a body, if the headers state it. */
  static length(response: Response): number | null {
    const text = response.headers.get("content-length");
    // The length of a compressed body is not that of the file.
    if (text === null || response.headers.has("content-encoding")) return null;
    const length = Number(text);
    return Number.isSafeInteger(length) && length >= 0 ? length : null;
  }

  push(chunk: Uint8Array): void {
    const end = this.loaded + chunk.length;
    if (end > this.bytes.length) {
      if (this.total !== null) {
        this.overflowed = true;
        this.total = null;
      }
      const larger = allocate(Math.max(end, 2 * this.bytes.length), this.#where);
      larger.set(this.bytes.subarray(0, this.loaded));
      this.bytes = larger;
    }
    this.bytes.set(chunk, this.loaded);
    this.loaded = end;
  }

  finish(): Uint8Array {
    return this.loaded === this.bytes.length ? this.bytes : this.bytes.slice(0, this.loaded);
  }
}
