// Workers by name, for the script that runs the benchmark.

const workers = new Map();
let last = 0;

globalThis.bench = {
  isolated: globalThis.crossOriginIsolated,

  open(name) {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name });
    const pending = new Map();
    worker.onmessage = ({ data: { id, value, failed } }) => {
      const { resolve } = pending.get(id);
      pending.delete(id);
      resolve(failed ? { failed } : { value });
    };
    worker.onerror = ({ message }) => {
      for (const { resolve } of pending.values()) resolve({ failed: { message: `worker: ${message}` } });
      pending.clear();
    };
    workers.set(name, { worker, pending });
  },

  call(name, call, args) {
    const { worker, pending } = workers.get(name);
    const id = ++last;
    return new Promise((resolve) => {
      pending.set(id, { resolve });
      worker.postMessage({ id, call, args });
    });
  },

  /** As `call`, for a `Float32Array`, which comes as base64. */
  async vectors(name, args) {
    const { value, failed } = await this.call(name, "vectors", args);
    if (failed) return { failed };
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    return { value: btoa(text) };
  },

  close(name) {
    workers.get(name)?.worker.terminate();
    workers.delete(name);
  },
};
globalThis.ready = true;
