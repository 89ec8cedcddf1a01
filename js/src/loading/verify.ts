import { EncoderError, messageOf } from "../errors.js";
import { hex } from "./cache.js";
import { decodeJson, isObject } from "./json.js";

/** @internal The SHA-256 of bytes in lower-case hexadecimal; `null` where the platform has none (pages without HTTPS). */
export async function sha256(bytes: Uint8Array): Promise<string | null> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  return subtle === undefined ? null : hex(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** @internal The hash by which a hub knows a file: of its bytes, or of the object that git keeps. */
export interface ContentHash {
  algorithm: "sha256" | "git";
  value: string;
}

/** @internal A file and its SHA-256, which is `null` where the platform has no hashes. */
export interface Hashed {
  bytes: Uint8Array;
  sha256: string | null;
}

/** @internal Refuses bytes that are not those of a hash; unchecked where the platform has no hashes. */
export async function checkContentHash(file: Hashed, expected: ContentHash, where: string): Promise<void> {
  const found = expected.algorithm === "sha256" ? file.sha256 : await gitHash(file.bytes);
  if (found !== null && found !== expected.value) {
    throw new EncoderError("integrity", `${where}: expected the hash ${expected.value}, found ${found}`, {
      url: where,
    });
  }
}

// Source: Git, "Git Internals - Git Objects".
async function gitHash(bytes: Uint8Array): Promise<string | null> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  const header = new TextEncoder().encode(`blob ${bytes.length}\0`);
  const object = new Uint8Array(header.length + bytes.length);
  object.set(header);
  object.set(bytes, header.length);
  return subtle === undefined ? null : hex(await subtle.digest("SHA-1", object));
}

/** @internal What is expected of a file, for messages. */
export function expectation(name: string): string {
  if (name.endsWith(".safetensors")) return "a safetensors file";
  return /\.(json|metadata)$|^(config|tokenizer)$/.test(name) ? "a JSON file" : "an ONNX model";
}

/**
 * Refuses what is clearly another kind of file than expected. `start` are the
 * first bytes of the file `name`.
 *
 * @internal
 */
export function checkContent(name: string, start: Uint8Array, where: string): void {
  const text = new TextDecoder().decode(start.subarray(0, 256)).trimStart().toLowerCase();
  const found =
    start.length === 0
      ? "an empty file"
      : /^<(!doctype|html|head|body|\?xml|!--|error)/.test(text)
        ? "a web page"
        : text.startsWith("version https://git-lfs")
          ? "a Git LFS pointer, not the file it points to"
          : undefined;
  if (found === undefined) return;
  throw new EncoderError("not_a_model", `${where}: expected ${expectation(name)}, found ${found}`, { url: where });
}

/** @internal Refuses a safetensors file that is shorter than its header says, before it is kept. */
export function checkTensors(name: string, bytes: Uint8Array, where: string): void {
  if (!name.endsWith(".safetensors") || bytes.length < 8) return;
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = bytes.length < 8 + length ? undefined : decodeJson(bytes.subarray(8, 8 + length));
  const entries = isObject(header) ? Object.values(header) : [];
  const ends = entries.map((entry) =>
    isObject(entry) && Array.isArray(entry.data_offsets) ? entry.data_offsets[1] : 0,
  );
  const expected = ends.reduce((most: number, end) => Math.max(most, Number(end)), 0) + 8 + length;
  // What else may be wrong is found when it is read.
  if (bytes.length < expected) {
    throw new EncoderError(
      "integrity",
      `${where}: expected ${expected} bytes, found ${bytes.length}, a truncated file`,
      { url: where },
    );
  }
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
