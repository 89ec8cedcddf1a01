// Models on a hub: their addresses, and the list of their files.

import { EncoderError, optionError } from "../errors.js";
import { decodeJson, isObject } from "./json.js";
import type { ContentHash } from "./verify.js";

/** Options for models on a hub. */
export interface HubOptions {
  /** A branch, a tag or a commit; `"main"` by default. */
  revision?: string;
  /** A token of the user's, for models that are not public. It is sent to the hub alone. */
  token?: string;
  /** Address of the hub, or of a mirror with the same interface; the public hub by default. */
  endpoint?: string | URL;
}

/** The public hub. */
const ENDPOINT = "https://huggingface.co";
const COMMIT = /^[0-9a-f]{40}$/;
/** Files of the largest repository that can be a model's, and how deep they are, as in folders on disk. */
const MOST_FILES = 10_000;
const DEPTH = 2;

/** @internal A model on a hub. */
export interface HubModel {
  id: string;
  revision: string;
  /** Without a slash at the end. */
  endpoint: string;
  token: string | undefined;
}

/** @internal A file as the hub lists it. */
export interface HubFile {
  path: string;
  hash: ContentHash | undefined;
  /** Bytes; `null` if the hub does not say. */
  size: number | null;
}

/** @internal A revision of a model. */
export interface HubListing {
  commit: string;
  files: Map<string, HubFile>;
}

/** @internal */
export function hubModel(id: string, { revision = "main", token, endpoint = ENDPOINT }: HubOptions): HubModel {
  if (typeof revision !== "string" || revision === "")
    throw optionError("revision", "a branch, a tag or a commit", revision);
  if (token !== undefined && (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token))) {
    // Not shown: it may be a token with a line break.
    throw optionError("token", "a token without spaces", typeof token === "string" ? "another text" : token);
  }
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch {
    throw optionError("endpoint", "an address", String(endpoint));
  }
  return { id, revision, endpoint: url.origin + url.pathname.replace(/\/+$/, ""), token };
}

/** @internal Identifies a revision in the cache. */
export function nameOf({ id, revision, endpoint }: HubModel): string {
  return `${endpoint}/${id}@${revision}`;
}

/** @internal */
export function listingUrl({ id, revision, endpoint }: HubModel): URL {
  return new URL(`${endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`);
}

/** @internal */
export function fileUrl({ id, endpoint }: HubModel, commit: string, path: string): URL {
  return new URL(`${endpoint}/${id}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`);
}

/** @internal The options of a request to the hub. */
export function authorized(model: HubModel, init: RequestInit | undefined): RequestInit | undefined {
  if (model.token === undefined) return init;
  const headers = new Headers(init?.headers);
  headers.set("Authorization", `Bearer ${model.token}`);
  return { ...init, headers };
}

/** @internal Reads the hub's answer; `where` names it in messages. */
export function readListing(json: Uint8Array, where: string): HubListing {
  const wrong = (found: string) =>
    new EncoderError("not_a_model", `${where}: expected a model's commit and files, found ${found}`, { url: where });
  const answer = decodeJson(json);
  if (!isObject(answer) || !Array.isArray(answer.siblings)) throw wrong("no list of files");
  const { sha, siblings } = answer;
  if (typeof sha !== "string" || !COMMIT.test(sha)) throw wrong("no commit");
  const files = siblings.map(readFile).filter((file) => file !== undefined);
  if (files.length > MOST_FILES) throw wrong(`${files.length} files, more than ${MOST_FILES}`);
  return { commit: sha, files: new Map(files.map((file) => [file.path, file])) };
}

function readFile(entry: unknown): HubFile | undefined {
  if (!isObject(entry) || typeof entry.rfilename !== "string") return undefined;
  const { rfilename: path, size, blobId, lfs } = entry;
  const parts = path.split("/");
  // Such a path would lead out of the repository.
  if (parts.length > DEPTH + 1 || parts.some((part) => part === "" || part === "." || part === "..")) return undefined;
  const length = Number.isSafeInteger(size) ? (size as number) : null;
  if (isObject(lfs) && typeof lfs.sha256 === "string" && /^[0-9a-f]{64}$/.test(lfs.sha256)) {
    return { path, size: length, hash: { algorithm: "sha256", value: lfs.sha256 } };
  }
  const isBlob = typeof blobId === "string" && COMMIT.test(blobId) && !isObject(lfs);
  return { path, size: length, hash: isBlob ? { algorithm: "git", value: blobId } : undefined };
}

/** @internal What a failed request for the list means. */
export function explain(error: unknown, { id, revision, token }: HubModel): unknown {
  if (!(error instanceof EncoderError) || error.code !== "http") return error;
  const hint = `a folder of that name is "./${id}"`;
  const reasons: Record<number, string> = {
    401:
      token === undefined
        ? `the model needs the option \`token\`, or does not exist (${hint})`
        : "the token is not valid",
    403: "the token may not read the model, or its terms have to be accepted first",
    404: `the hub has no such model or revision (${hint})`,
  };
  const reason = reasons[error.status ?? 0];
  if (reason === undefined) return error;
  return new EncoderError("http", `the model ${id}, revision ${revision}: ${reason}: ${error.message}`, {
    ...(error.status !== undefined && { status: error.status }),
    ...(error.url !== undefined && { url: error.url }),
    cause: error,
  });
}
