// One file from the web: from the cache, resumed, or downloaded.

import { EncoderError } from "../errors.js";
import type { ModelCache } from "./cache.js";
import { CacheEntry, PART } from "./entry.js";
import { Range, rangeOf, validatorOf } from "./range.js";
import { request, unreachable } from "./request.js";
import { withoutQuery } from "./source.js";
import {
  allocate,
  type ContentHash,
  checkContent,
  checkContentHash,
  checkHash,
  checkTensors,
  expectation,
  sha256,
} from "./verify.js";

/** @internal */
export interface Download {
  url: URL;
  /** Its name in the folder. */
  path: string;
  cache: ModelCache | undefined;
  /** Identifies the file in the cache. */
  key: string;
  /** What a hub says of the file: keys of files with a hash are of their content. */
  hash: ContentHash | undefined;
  size: number | null;
  sha256: string | undefined;
  requestInit: RequestInit | undefined;
  signal: AbortSignal;
  onProgress: (phase: "network" | "cache", loaded: number, total: number | null) => void;
}

/** @internal Whether the cache has the whole file. */
export async function isCached(cache: ModelCache | undefined, key: string): Promise<boolean> {
  if (cache === undefined) return false;
  return (await CacheEntry.open(cache, key)).manifest?.complete === true;
}

/** @internal */
export async function download(job: Download): Promise<Uint8Array> {
  const entry = job.cache && (await CacheEntry.open(job.cache, job.key));
  if (entry?.manifest?.complete) {
    const bytes = await fromCache(entry, job);
    if (bytes !== undefined) return bytes;
    await entry.remove();
  }
  const bytes = (await resume(entry, job)) ?? (await receive(await ask(job), undefined, entry, job));
  const where = withoutQuery(job.url);
  try {
    checkContent(job.path, bytes, where);
    checkSize(bytes.length, job.size, where);
    checkTensors(job.path, bytes, where);
    const isHashed = entry !== undefined || job.sha256 !== undefined || job.hash?.algorithm === "sha256";
    const found = isHashed ? await sha256(bytes) : null;
    await checkHash(found, job.sha256, where);
    if (job.hash !== undefined) await checkContentHash({ bytes, sha256: found }, job.hash, where);
    await entry?.complete(found);
  } catch (error) {
    await entry?.remove();
    throw error;
  }
  return bytes;
}

// `undefined` if the entry is damaged.
async function fromCache(entry: CacheEntry, job: Download): Promise<Uint8Array | undefined> {
  const length = entry.manifest?.length ?? 0;
  if (entry.size !== length) return undefined;
  const bytes = allocate(length, withoutQuery(job.url));
  const whole = await entry.read(bytes, (loaded) => {
    job.signal.throwIfAborted();
    job.onProgress("cache", loaded, length);
  });
  const noted = entry.manifest?.sha256;
  if (!whole) return undefined;
  const found = noted || job.sha256 ? await sha256(bytes) : null;
  if (found !== null && ((noted && found !== noted) || (job.sha256 && found !== job.sha256.toLowerCase())))
    return undefined;
  await checkHash(found, job.sha256, withoutQuery(job.url));
  return bytes;
}

function checkSize(found: number, expected: number | null, where: string): void {
  if (expected === null || found === expected) return;
  const truncated = found < expected ? ", a truncated file" : "";
  throw new EncoderError("integrity", `${where}: expected ${expected} bytes, found ${found}${truncated}`, {
    url: where,
  });
}

// Continues an earlier download; `undefined` where it cannot be resumed.
async function resume(entry: CacheEntry | undefined, job: Download): Promise<Uint8Array | undefined> {
  const { length, validator } = entry?.manifest ?? {};
  if (entry === undefined || length === undefined || entry.size === 0 || entry.size >= length) return undefined;
  // Of a file that is known by its content, any part will do.
  if (!validator && job.hash === undefined) return undefined;
  const start = entry.size;
  const bytes = allocate(length, withoutQuery(job.url));
  const whole = await entry.read(bytes, (loaded) => job.onProgress("cache", loaded, length));
  if (!whole) return undefined;
  let response: Response;
  try {
    // Without a preflight request where only the range is asked for.
    const condition = job.hash === undefined && validator ? { "If-Range": validator } : {};
    response = await ask(job, { Range: `bytes=${start}-`, ...condition });
  } catch (error) {
    // 416: the file has changed. No answer: another origin may allow only
    // requests without these headers, so try one before giving up.
    const again = error instanceof EncoderError && (error.status === 416 || error.code === "network");
    if (again && !job.signal.aborted) return undefined;
    throw error;
  }
  const range = rangeOf(response, start, length);
  if (range === undefined && response.status === 206) {
    await response.body?.cancel();
    return undefined;
  }
  return receive(response, range && { bytes, start }, entry, job);
}

async function ask(job: Download, headers: Record<string, string> = {}): Promise<Response> {
  const where = withoutQuery(job.url);
  const response = await request(job.url, { init: job.requestInit, headers, signal: job.signal });
  const type = response.headers.get("content-type") ?? "";
  if (/\b(text\/html|application\/xhtml)/i.test(type)) {
    await response.body?.cancel();
    throw new EncoderError("not_a_model", `${where}: expected ${expectation(job.path)}, found a web page (${type})`, {
      url: where,
    });
  }
  return response;
}

// Reads a body, after what `started` has, and caches it as it arrives.
async function receive(
  response: Response,
  started: { bytes: Uint8Array; start: number } | undefined,
  entry: CacheEntry | undefined,
  job: Download,
): Promise<Uint8Array> {
  const where = withoutQuery(job.url);
  const total = started?.bytes.length ?? Range.length(response);
  const target = new Range(started?.bytes ?? allocate(total ?? PART, where), started?.start ?? 0, total, where);
  const validator = total === null ? null : validatorOf(response);
  if (started === undefined && total !== null) await entry?.begin(total, validator);
  let saved = target.loaded;
  const save = async (least: number) => {
    if (entry === undefined || total === null || target.overflowed) return;
    while (target.loaded - saved >= least && target.loaded > saved) {
      const end = Math.min(saved + PART, target.loaded);
      await entry.append(target.bytes.subarray(saved, end));
      saved = end;
    }
  };
  try {
    const reader = response.body?.getReader();
    for (;;) {
      const next = await reader?.read();
      if (next === undefined || next.done) break;
      target.push(next.value);
      job.onProgress("network", target.loaded, target.total);
      await save(PART);
    }
  } catch (cause) {
    await save(1);
    if (cause instanceof EncoderError) throw cause;
    throw unreachable({ where, signal: job.signal, cause, after: ` after ${target.loaded} bytes` });
  }
  if (target.total !== null && target.loaded < target.total) {
    await save(1);
    throw new EncoderError(
      "integrity",
      `${where}: expected ${target.total} bytes, found ${target.loaded}, a truncated file`,
      {
        url: where,
      },
    );
  }
  const bytes = target.finish();
  if (target.total === null) {
    await entry?.begin(bytes.length, null);
    saved = 0;
    for (; saved < bytes.length; saved += PART) await entry?.append(bytes.subarray(saved, saved + PART));
  } else await save(1);
  return bytes;
}
