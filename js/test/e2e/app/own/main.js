// Runs encoders in a worker of the page's own.

import "./watch.js";

// Longer than any run takes on a busy machine.
const PATIENCE = 120_000;

let worker;
const start = () => {
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
};

/** What the worker answers; `undefined` if it does not. */
const once = (source, options) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, PATIENCE);
    worker.onmessage = ({ data }) => {
      clearTimeout(timer);
      resolve(data);
    };
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ source, options });
  });

/** Runs in the worker, and as often as `retries` says in a new one if there is no answer. */
globalThis.run = async (source, options, retries) => {
  for (let left = retries; ; left -= 1) {
    const answer = await once(source, options);
    if (answer !== undefined) return answer;
    if (left === 0) throw new Error("the worker does not answer");
    worker.terminate();
    start();
  }
};

start();
globalThis.ready = true;
