// Why several threads cannot run where the code runs.

// More cores are seldom idle, and small batches cannot use them.
const MOST_BY_DEFAULT = 4;

/** Where code can run, as messages name it. */
type Place = "page" | "worker" | "shared worker" | "service worker" | "runtime";

// In all their global scopes the constructor of the scope itself is visible.
const SCOPES: [string, Place][] = [
  ["ServiceWorkerGlobalScope", "service worker"],
  ["SharedWorkerGlobalScope", "shared worker"],
  ["DedicatedWorkerGlobalScope", "worker"],
];

function place(): Place {
  if (typeof document !== "undefined") return "page";
  const found = SCOPES.find(([name]) => name in globalThis)?.[1];
  // Only browsers say whether they isolate origins.
  return typeof globalThis.crossOriginIsolated === "boolean" ? (found ?? "worker") : "runtime";
}

/** @internal Why several threads cannot run; `undefined` if they can. `worker`: in one of their own. */
export function obstacle(worker: boolean): string | undefined {
  const here = place();
  if (typeof Worker !== "function") {
    return here === "runtime" ? "this runtime has no Web Workers" : `a ${here} cannot start workers in this browser`;
  }
  if ("Deno" in globalThis) return "Deno does not end threads that wait, so that no program with them would exit";
  if (here !== "runtime" && globalThis.crossOriginIsolated !== true) {
    const needs = "`Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy: require-corp`";
    return here === "page"
      ? `the page is not cross-origin isolated, which needs the headers ${needs}`
      : `this ${here} is not cross-origin isolated, which needs its script to be served with \`Cross-Origin-Embedder-Policy: require-corp\`${here === "worker" ? `, and its page with ${needs}` : ""}`;
  }
  if (typeof SharedArrayBuffer === "undefined") {
    return here === "runtime"
      ? "this runtime has no SharedArrayBuffer"
      : `the ${here} is cross-origin isolated, but this browser has no SharedArrayBuffer`;
  }
  if (!worker && here === "page") {
    return "the engine runs in the page's own thread, which must not wait for others; leave out the option `worker`";
  }
  return undefined;
}

/** @internal Threads to run on by default. */
export function cores(): number {
  return Math.max(1, Math.min(globalThis.navigator?.hardwareConcurrency ?? 1, MOST_BY_DEFAULT));
}
