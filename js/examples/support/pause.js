const SLICE_MS = 20;

/** For long work in the page's own thread: `await pause()` often, and it lets the page answer in between. */
export function pauses(signal) {
  let start = performance.now();
  return async () => {
    signal?.throwIfAborted();
    if (performance.now() - start < SLICE_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    start = performance.now();
  };
}
