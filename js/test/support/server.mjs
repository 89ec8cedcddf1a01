// A static server for tests, with byte ranges, ETags, and faults on request.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

const CORS = { "access-control-allow-origin": "*", "access-control-expose-headers": "etag, content-range" };

/**
 * Serves folders: `mounts` maps prefixes of paths to folders.
 *
 * `behaviour.set(path, {...})` changes how a path answers, `after` so many requests:
 * `status`; `body` and `type`; `headers`, where `undefined` leaves one out; `cutAfter` bytes, after which the
 * connection breaks; `noRange`; `noPreflight`; `pauseAfter` bytes, where it waits for the
 * promise `resume`, or until the client gives up.
 */
export async function startServer(mounts, { headers = {}, cors = false, port = 0 } = {}) {
  const behaviour = new Map();
  const log = [];
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      response.destroy(error);
    });
  });

  async function answer(request, response) {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    const found = behaviour.get(path) ?? {};
    const special = found.after > 0 ? {} : found;
    if (found.after > 0) found.after -= 1;
    const entry = { method: request.method, path, range: request.headers.range, status: 0 };
    log.push(entry);
    const send = (status, all) => {
      entry.status = status;
      const given = Object.entries({ ...all, ...headers, ...special.headers, ...(cors && CORS) });
      response.writeHead(status, Object.fromEntries(given.filter(([, value]) => value !== undefined)));
    };
    if (request.method === "OPTIONS") {
      // A preflight request, which browsers send before headers that CORS restricts.
      send(204, cors && !special.noPreflight ? { "access-control-allow-headers": "*" } : {});
      return response.end();
    }
    if (special.status) {
      send(special.status, { "content-type": "text/plain" });
      return response.end("no");
    }
    const body = special.body ?? (await find(path));
    if (body === undefined) {
      send(404, { "content-type": "text/plain" });
      return response.end("not found");
    }
    const bytes = Buffer.from(body);
    const etag = `"${createHash("sha1").update(bytes).digest("hex")}"`;
    const common = {
      "content-type": special.type ?? TYPES[path.endsWith("/") ? ".html" : extname(path)] ?? "application/octet-stream",
      etag,
      "accept-ranges": "bytes",
      "cache-control": "no-store",
    };
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const matches = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
    let start = 0;
    if (range && matches && !special.noRange) {
      start = Number(range[1]);
      if (start >= bytes.length) {
        send(416, { "content-range": `bytes */${bytes.length}` });
        return response.end();
      }
      send(206, {
        ...common,
        "content-length": bytes.length - start,
        "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      });
    } else {
      send(200, { ...common, "content-length": bytes.length });
    }
    const rest = bytes.subarray(start);
    const end = special.cutAfter ?? special.pauseAfter;
    if (end === undefined || end >= rest.length) return response.end(rest);
    await new Promise((resolve) => response.write(rest.subarray(0, end), resolve));
    // Bytes in flight are lost when the connection closes, and a client that writes to a cache reads slowly.
    if (special.cutAfter !== undefined) return setTimeout(() => response.destroy(), 500);
    await new Promise((resolve) => {
      response.on("close", resolve);
      special.resume?.then(resolve);
    });
    response.end(rest.subarray(end));
  }

  async function find(path) {
    for (const [prefix, folder] of Object.entries(mounts)) {
      if (!path.startsWith(prefix)) continue;
      const inside = normalize(`/${path.slice(prefix.length)}`);
      const name = inside.endsWith("/") ? `${inside}index.html` : inside;
      const bytes = await readFile(join(folder, name)).catch(() => undefined);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    behaviour,
    log,
    /** Paths that were asked for since the last call. */
    takeLog: () => log.splice(0),
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
