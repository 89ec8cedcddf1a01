// A request whose failures are errors of the package.

import { EncoderError, messageOf } from "../errors.js";
import { withoutQuery } from "./source.js";

/** @internal */
export interface RequestOptions {
  init: RequestInit | undefined;
  headers?: Record<string, string>;
  signal: AbortSignal;
  /** Milliseconds until an answer has to begin; any number by default. */
  patience?: number;
}

/** How often a server that is busy is asked again. */
const REPEATS = 3;
/** The wait before the first repetition where the server states none, in milliseconds; it doubles. */
const FIRST_WAIT = 1_000;
/** The longest wait that a server may ask for, in milliseconds. */
const LONGEST_WAIT = 60_000;

/** @internal The answer, which is one of success. */
export async function request(url: URL, options: RequestOptions): Promise<Response> {
  const where = withoutQuery(url);
  for (let repeats = 0; ; repeats += 1) {
    const response = await ask(url, options);
    if (response.ok) return response;
    const wait = repeats < REPEATS ? waitOf(response, repeats) : undefined;
    await response.body?.cancel();
    if (wait === undefined) {
      const text = `HTTP ${response.status}${response.statusText && ` ${response.statusText}`}`;
      throw new EncoderError("http", `${where}: expected the file, found ${text}`, {
        status: response.status,
        url: where,
      });
    }
    await pause(wait, options.signal);
  }
}

async function ask(url: URL, { init, headers = {}, signal, patience }: RequestOptions): Promise<Response> {
  const all = new Headers(init?.headers);
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  const abort = new AbortController();
  const stop = () => abort.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const late = new Error(`no answer within ${patience} ms`);
  const timer = patience === undefined ? undefined : setTimeout(() => abort.abort(late), patience);
  try {
    signal.throwIfAborted();
    return await fetch(url, { ...init, headers: all, signal: patience === undefined ? signal : abort.signal });
  } catch (cause) {
    throw unreachable({ where: withoutQuery(url), signal, cause, after: "" });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

// Milliseconds after which a busy server is to be asked again.
function waitOf({ status, headers }: Response, repeats: number): number | undefined {
  const text = headers.get("retry-after");
  if (status !== 429 && (status !== 503 || text === null)) return undefined;
  // Pages seldom may see what another origin asks for.
  if (text === null) return FIRST_WAIT * 2 ** repeats;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return wait <= LONGEST_WAIT ? Math.max(0, wait) : undefined;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** @internal The error of a request without an answer, or with half of one. */
export function unreachable(failure: { where: string; signal: AbortSignal; cause: unknown; after: string }): unknown {
  const { where, signal, cause, after } = failure;
  if (signal.aborted) return signal.reason;
  const reason =
    globalThis.navigator?.onLine === false
      ? "this device is offline"
      : "the server cannot be reached, or it is of another origin and does not allow this one (CORS)";
  return new EncoderError("network", `${where}: no answer${after}: ${reason}: ${messageOf(cause)}`, {
    url: where,
    cause,
  });
}

/** @internal Whether a server could not be asked, so that nothing is known of what it has. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof EncoderError)) return false;
  return error.code === "network" || (error.code === "http" && (error.status ?? 0) >= 500);
}
