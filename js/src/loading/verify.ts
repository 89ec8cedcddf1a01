import { EncoderError, messageOf } from "../errors.js";
import { hex } from "./cache.js";
import type { FileKind } from "./source.js";

/** @internal The SHA-256 of bytes in lower-case hexadecimal; `null` where the platform has none (pages without HTTPS). */
export async function sha256(bytes: Uint8Array): Promise<string | null> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  return subtle === undefined ? null : hex(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/**
 * Refuses what is clearly another kind of file than expected.
 *
 * @internal
 */
export function checkContent(kind: FileKind, bytes: Uint8Array, where: string): void {
  const start = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart().toLowerCase();
  const found = /^<(!doctype|html|head|body|\?xml|!--|error)/.test(start)
    ? "a web page"
    : start.startsWith("version https://git-lfs")
      ? "a Git LFS pointer, not the file it points to"
      : undefined;
  if (found === undefined) return;
  const expected = kind === "model" ? "an ONNX model" : "a JSON file";
  throw new EncoderError("not_a_model", `${where}: expected ${expected}, found ${found}`, { url: where });
}

/** @internal */
export async function checkHash(found: string | null, expected: string | undefined, where: string): Promise<void> {
  if (expected === undefined) return;
  if (found === null) {
    throw new EncoderError(
      "unsupported",
      `${where}: the SHA-256 cannot be checked: crypto.subtle needs a secure context (HTTPS or localhost)`,
    );
  }
  if (found !== expected.toLowerCase()) {
    throw new EncoderError("integrity", `${where}: expected SHA-256 ${expected.toLowerCase()}, found ${found}`, {
      url: where,
    });
  }
}

/** @internal Memory for a file. */
export function allocate(length: number, where: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new EncoderError("out_of_memory", `${where}: no memory for ${length} bytes: ${messageOf(cause)}`, {
      url: where,
      cause,
    });
  }
}
