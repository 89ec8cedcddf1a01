// The field for queries: it grows with its text, and searches as one types.

export class SearchBox {
  #field;
  #clear;
  #actions;
  #pending;

  /**
   * `search(text, signal)` finds; `show(found)` shows what the newest query
   * found, `empty()` that there is no query, `fail(error)` an error.
   */
  constructor(form, actions) {
    this.#field = form.querySelector("textarea");
    this.#clear = form.querySelector("button");
    this.#actions = actions;
    form.onsubmit = (event) => event.preventDefault();
    this.#field.oninput = () => this.run();
    this.#field.onkeydown = (event) => {
      // The text wraps, but has no lines of its own.
      if (event.key === "Enter" && !event.isComposing) event.preventDefault();
      if (event.key === "Escape") this.set("");
    };
    this.#clear.onclick = () => {
      this.set("");
      this.#field.focus();
    };
  }

  get text() {
    return this.#field.value.replaceAll(/\s+/g, " ").trim();
  }

  set(text) {
    this.#field.value = text;
    return this.run();
  }

  enable() {
    this.#field.disabled = false;
    // On touch screens, focus would bring up a keyboard over what there is to read.
    if (matchMedia("(hover: hover)").matches) this.#field.focus({ preventScroll: true });
    return this.run();
  }

  disable() {
    this.#pending?.abort();
    this.#field.disabled = true;
  }

  async run() {
    // A newer query ends the one that is under way.
    this.#pending?.abort();
    this.#pending = new AbortController();
    const { signal } = this.#pending;
    const { text } = this;
    this.#field.parentElement.dataset.text = this.#field.value;
    this.#clear.hidden = this.#field.value === "";
    if (this.#field.disabled) return;
    if (text === "") return this.#actions.empty();
    try {
      const found = await this.#actions.search(text, signal);
      if (!signal.aborted) this.#actions.show(found);
    } catch (error) {
      if (!signal.aborted) this.#actions.fail(error);
    }
  }
}
