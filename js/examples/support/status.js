// The place that shows what the page is doing, or what failed.

import { element } from "./dom.js";
import { explain } from "./failures.js";

export class Status {
  #place;
  #hasFailed = false;
  #text = element("span", { className: "what", role: "status" });
  #bar = element("progress", { max: 1, "aria-label": "progress" });
  #stop = element("button", { type: "button", textContent: "Stop" });

  constructor(place) {
    this.#place = place;
    place.classList.add("status");
  }

  /**
   * Shows a step; `share` from 0 to 1, or `undefined` where it is not known. An
   * error stays until `clear`, as what failed may have parts that still go on.
   */
  progress(text, { share, stop } = {}) {
    if (this.#hasFailed) return;
    this.#text.textContent = text;
    if (share === undefined) this.#bar.removeAttribute("value");
    else this.#bar.value = share;
    this.#stop.onclick = stop;
    const parts = stop === undefined ? [this.#text, this.#bar] : [this.#text, this.#bar, this.#stop];
    // Those that are there stay: replaced, they would lose the focus, and be read out again.
    if (parts.some((part) => !part.isConnected) || parts.length !== this.#place.childElementCount) {
      this.#place.replaceChildren(...parts);
    }
  }

  /** Shows an error; `retry` gets a button. */
  fail(what, error, { retry, dismiss } = {}) {
    this.#hasFailed = true;
    const { sentence, details } = explain(error);
    const buttons = [
      ["Try again", retry],
      ["Dismiss", dismiss],
    ].filter(([, run]) => run !== undefined);
    this.#place.replaceChildren(
      element(
        "div",
        { className: "failure", role: "alert" },
        element("p", {}, element("b", { textContent: what }), ` ${sentence}`),
        ...(details === "" ? [] : [element("p", { className: "details", textContent: details })]),
        ...buttons.map(([label, run]) =>
          element("button", {
            type: "button",
            textContent: label,
            onclick: () => {
              this.clear();
              run();
            },
          }),
        ),
      ),
    );
  }

  clear() {
    this.#hasFailed = false;
    this.#place.replaceChildren();
  }
}
