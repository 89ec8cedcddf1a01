// Notes what goes wrong in the page, and which workers run: not every browser
// tells its driver. Imported before everything else.

globalThis.problems = [];
globalThis.workers = new Set();
const note = (text) => globalThis.problems.push(text);

addEventListener("error", ({ message }) => note(message));
addEventListener("unhandledrejection", ({ reason }) => note(String(reason)));
addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) =>
  note(`Content Security Policy: ${effectiveDirective}: ${blockedURI}`),
);

globalThis.Worker = class extends Worker {
  constructor(...rest) {
    super(...rest);
    globalThis.workers.add(this);
  }
  terminate() {
    globalThis.workers.delete(this);
    super.terminate();
  }
};
