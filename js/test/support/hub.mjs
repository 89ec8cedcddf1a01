// A model hub on loopback: an API, files by revision, redirects to another
// origin for large ones, tokens, limits of requests, and faults on request.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const hash = (algorithm, ...parts) => {
  const state = createHash(algorithm);
  for (const part of parts) state.update(part);
  return state.digest("hex");
};
const gitHash = (bytes) => hash("sha1", `blob ${bytes.length}\0`, bytes);
const isLarge = (path) => /\.(safetensors|onnx)$|_data$/.test(path);

const EXPOSED = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,ETag,Link,Accept-Ranges,Content-Range";
const SIGNATURE = "signature=0123456789abcdef";

/** A repository of a folder's files, without the references of tests. */
export function repository(folder, { token, terms = false } = {}) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = new Map();
  for (const entry of names.filter((entry) => entry.isFile() && !entry.name.startsWith("reference."))) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    files.set(path.slice(folder.length + 1).replaceAll("\\", "/"), readFileSync(path));
  }
  return { files, token, terms };
}

/**
 * Serves repositories, by their ids. Of `faults`, which may be set at any time:
 * `status`, that of every answer; `busy`, the number of requests to refuse with
 * 429; `retryAfter`; `cut`, by path, bytes after which a transfer breaks;
 * `replace`, by path, other bytes for a file; `bare`: no hashes in listings;
 * `silent`: the API never answers.
 */
export async function startHub(repositories) {
  const faults = {};
  const log = [];
  const blobs = new Map();
  const storage = await listen((request, response) => {
    const { pathname, search } = new URL(request.url, "http://x");
    const key = pathname.slice(1);
    const { path, bytes } = blobs.get(key) ?? {};
    const entry = { origin: "storage", method: request.method, path, range: request.headers.range };
    log.push(entry);
    const cors = { "access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED };
    // What was signed needs no token, and a token is refused beside a signature.
    if (request.method === "OPTIONS") return end(response, 403, cors);
    if (request.headers.authorization !== undefined) return end(response, 400, cors);
    if (bytes === undefined || search !== `?${SIGNATURE}`) return end(response, 403, cors);
    send(response, { request, bytes, path, headers: { ...cors, etag: `"${key}"` } });
  });
  const api = await listen((request, response) => {
    const url = new URL(request.url, "http://x");
    const path = decodeURI(url.pathname);
    log.push({
      origin: "api",
      method: request.method,
      path: url.pathname,
      token: request.headers.authorization,
      range: request.headers.range,
    });
    const cors = {
      "access-control-allow-origin": request.headers.origin ?? "*",
      "access-control-expose-headers": EXPOSED,
      vary: "Origin",
    };
    if (request.method === "OPTIONS") {
      const allowed = { "access-control-allow-headers": "authorization, range", "access-control-allow-methods": "GET" };
      return end(response, 204, { ...cors, ...allowed });
    }
    if (faults.silent) return undefined;
    if (faults.status) return end(response, faults.status, cors);
    if (faults.busy > 0) {
      faults.busy -= 1;
      return end(response, 429, { ...cors, "retry-after": String(faults.retryAfter ?? 0) });
    }
    const listing = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/]+)$/.exec(url.pathname);
    const cached = /^\/api\/resolve-cache\/models\/([^/]+\/[^/]+)\/([^/]+)\/(.+)$/.exec(path);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const [, id, revision, name] = listing ?? cached ?? file ?? [];
    const found = repositories[id];
    // Hubs do not tell strangers which models there are.
    if (found === undefined) return fail(response, 401, cors, "RepoNotFound");
    if (found.token !== undefined && request.headers.authorization !== `Bearer ${found.token}`) {
      return fail(response, 401, cors, "RepoNotFound");
    }
    if (found.terms && listing === null) return fail(response, 403, cors, "GatedRepo");
    const commit = commitOf(found);
    if (!["main", "v1", "refs/pr/1", commit].includes(decodeURIComponent(revision))) {
      return fail(response, 404, cors, "RevisionNotFound");
    }
    if (listing !== null) {
      const siblings = [...found.files].map(([path, bytes]) => sibling(path, bytes, url.searchParams.has("blobs")));
      const body = JSON.stringify({ id, sha: commit, siblings });
      return end(response, 200, { ...cors, "content-type": "application/json" }, body);
    }
    const bytes = found.files.get(name);
    if (bytes === undefined) return fail(response, 404, cors, "EntryNotFound");
    const common = { ...cors, "x-repo-commit": commit };
    if (isLarge(name)) {
      const key = hash("sha256", bytes);
      blobs.set(key, { path: name, bytes });
      const location = `${storage.origin}/${key}?${SIGNATURE}`;
      return end(response, 302, { ...common, location, "x-linked-etag": `"${key}"`, "x-linked-size": bytes.length });
    }
    if (cached === null) {
      const location = `/api/resolve-cache/models/${id}/${commit}/${encodeURI(name)}`;
      return end(response, 307, { ...common, location });
    }
    send(response, { request, bytes, path: name, headers: { ...common, etag: `"${gitHash(bytes)}"` } });
  });

  function sibling(path, bytes, withBlobs) {
    if (!withBlobs || faults.bare) return { rfilename: path };
    const size = bytes.length;
    if (!isLarge(path)) return { rfilename: path, size, blobId: gitHash(bytes) };
    const sha256 = hash("sha256", bytes);
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
    const lfs = { sha256, size, pointerSize: pointer.length };
    return { rfilename: path, size, blobId: gitHash(Buffer.from(pointer)), lfs };
  }

  function send(response, { request, bytes: original, path, headers }) {
    const bytes = faults.replace?.[path] ?? original;
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const start = range === null ? 0 : Number(range[1]);
    const all = { ...headers, "accept-ranges": "bytes", "content-type": "application/octet-stream" };
    if (range === null) response.writeHead(200, { ...all, "content-length": bytes.length });
    else {
      const rest = { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
      response.writeHead(206, { ...all, ...rest, "content-length": bytes.length - start });
    }
    const end = faults.cut?.[path] ?? bytes.length;
    if (end >= bytes.length) return response.end(bytes.subarray(start));
    response.write(bytes.subarray(start, end), () => setTimeout(() => response.destroy(), 200));
  }

  return {
    origin: api.origin,
    faults,
    /** Requests since the last call. */
    takeLog: () => log.splice(0),
    commitOf: (id) => commitOf(repositories[id]),
    close: () => Promise.all([api.close(), storage.close()]),
  };
}

function commitOf({ files }) {
  return hash("sha1", ...[...files].flat());
}

function end(response, status, headers, body = "") {
  response.writeHead(status, headers);
  response.end(body);
}

function fail(response, status, headers, code) {
  end(response, status, { ...headers, "x-error-code": code }, JSON.stringify({ error: code }));
}

async function listen(answer) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
