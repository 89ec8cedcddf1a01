// Pages of the system's Chromium, and the engines in their workers.

import { ISOLATION, launch } from "../../test/e2e/support/browser.mjs";

export { ISOLATION, launch };

/** A page in a profile of its own, where workers run engines. */
export async function openPage(browser, origin) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${origin}/page/index.html`);
  await page.waitForFunction(() => globalThis.ready === true);
  const isolated = await page.evaluate(() => globalThis.bench.isolated);
  if (!isolated) throw new Error("the page: expected cross-origin isolation, found none");
  const settle = ({ value, failed }, name) => {
    if (failed) throw Object.assign(new Error(`${name}: ${failed.message}`), { code: failed.code });
    return value;
  };
  return {
    open: (name) => page.evaluate((name) => globalThis.bench.open(name), name),
    close: (name) => page.evaluate((name) => globalThis.bench.close(name), name),
    call: async (name, call, args) =>
      settle(
        await page.evaluate(([name, call, args]) => globalThis.bench.call(name, call, args), [name, call, args]),
        name,
      ),
    async vectors(name, args) {
      const text = settle(
        await page.evaluate(([name, args]) => globalThis.bench.vectors(name, args), [name, args]),
        name,
      );
      return new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);
    },
    end: () => context.close(),
  };
}
