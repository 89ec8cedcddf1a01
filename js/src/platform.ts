// Access to Node without imports, which bundlers for browsers would try to
// resolve.

/** @internal The modules of Node that the package uses. */
export interface NodeParts {
  fs: typeof import("node:fs/promises");
  path: typeof import("node:path");
  os: typeof import("node:os");
  url: typeof import("node:url");
  module: typeof import("node:module");
}

interface ProcessLike {
  versions?: { node?: string };
  getBuiltinModule?: (name: string) => unknown;
}

/** @internal Node's modules; `undefined` elsewhere. */
export function node(): NodeParts | undefined {
  const process = (globalThis as { process?: ProcessLike }).process;
  if (process?.versions?.node === undefined || process.getBuiltinModule === undefined) return undefined;
  const load = (name: string) => process.getBuiltinModule?.(`node:${name}`);
  return {
    fs: load("fs/promises"),
    path: load("path"),
    os: load("os"),
    url: load("url"),
    module: load("module"),
  } as NodeParts;
}

/**
 * Lets other tasks of the event loop run: messages, timers, painting.
 *
 * @internal
 */
export function nextTask(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: (run: () => void) => void }).setImmediate;
  if (immediate !== undefined) return new Promise((resolve) => immediate(resolve));
  // Timers would wait 4 ms each time.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/**
 * Waits for a promise to settle either way, but not longer than some
 * milliseconds.
 *
 * @internal
 */
export function settled(promise: Promise<unknown>, longest: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, longest);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    promise.then(end, end);
  });
}
