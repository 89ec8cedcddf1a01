import { element } from "../support/dom.js";

/** How long steps took, as a list; of a step that is repeated the last time. */
export class Timings {
  #list;
  #items = new Map();

  constructor(list) {
    this.#list = list;
  }

  async of(name, run) {
    const start = performance.now();
    const result = await run();
    this.#set(name, seconds(performance.now() - start));
    return result;
  }

  /** What runs the model. */
  engine({ precision, provider, threads }) {
    const simd = { "wasm-relaxed-simd": "relaxed SIMD", "wasm-simd128": "SIMD" }[provider] ?? "no SIMD";
    this.#set("Engine", `${precision.toUpperCase()}, ${simd}, ${threads} ${threads === 1 ? "thread" : "threads"}`);
  }

  #set(name, value) {
    this.#items.set(name, value);
    this.#list.replaceChildren(
      ...Array.from(this.#items, ([name, value]) =>
        element("li", {}, `${name} `, element("b", { textContent: value })),
      ),
    );
  }
}

function seconds(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
