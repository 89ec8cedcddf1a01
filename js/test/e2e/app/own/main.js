// Runs encoders in a worker of the page's own.

import "./watch.js";

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

globalThis.run = (source, options) =>
  new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ source, options });
  });
globalThis.ready = true;
