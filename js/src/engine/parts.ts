// Files that the engine reads in parts.

import { EncoderError, messageOf } from "../errors.js";
import type { LargeFile } from "../loading/external.js";
import type { PartedFile } from "../wasm.js";

/** The reader of `Blob`s that only workers have. */
interface SyncReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

const Reader = (globalThis as { FileReaderSync?: new () => SyncReader }).FileReaderSync;

/** @internal The same file, in memory where its parts cannot be read at once. */
export async function readable({ path, bytes }: LargeFile): Promise<LargeFile> {
  return { path, bytes: bytes instanceof Blob && Reader === undefined ? await whole(path, bytes) : bytes };
}

/** @internal */
export async function partedFile(file: LargeFile): Promise<PartedFile> {
  const { path, bytes } = await readable(file);
  if (bytes instanceof Blob) {
    const reader = new (Reader as new () => SyncReader)();
    const read = (start: number, end: number) => new Uint8Array(reader.readAsArrayBuffer(bytes.slice(start, end)));
    return { path, size: bytes.size, read };
  }
  return { path, size: bytes.length, read: (start, end) => bytes.subarray(start, end) };
}

async function whole(path: string, blob: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new EncoderError("io", `${path}: reading failed: ${messageOf(cause)}`, { cause });
  }
}
