// Files that the engine reads in parts.

import { EncoderError, messageOf } from "../errors.js";
import type { Collected } from "../loading/collect.js";
import type { PartedFile } from "../wasm.js";

/** The reader of `Blob`s that only workers have. */
interface SyncReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

/** @internal */
export async function partedFile({ path, bytes }: Collected["large"][number]): Promise<PartedFile> {
  const Reader = (globalThis as { FileReaderSync?: new () => SyncReader }).FileReaderSync;
  if (bytes instanceof Blob && Reader !== undefined) {
    const reader = new Reader();
    const read = (start: number, end: number) => new Uint8Array(reader.readAsArrayBuffer(bytes.slice(start, end)));
    return { path, size: bytes.size, read };
  }
  const all = bytes instanceof Blob ? await whole(path, bytes) : bytes;
  return { path, size: all.length, read: (start, end) => all.subarray(start, end) };
}

async function whole(path: string, blob: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new EncoderError("io", `${path}: reading failed: ${messageOf(cause)}`, { cause });
  }
}
