// One interface for three browsers, chosen by MULTIVEC_BROWSER.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * @typedef {object} Page a page in a profile of its own
 * @property {(code: string) => Promise<unknown>} evaluate the value of an expression, which is awaited
 * @property {(url: string) => Promise<unknown>} goto
 * @property {() => Promise<unknown>} close
 * @property {() => number} [workers] how many workers run, where the browser says
 * @property {() => string[]} [logged] errors that the browser logged, where it says
 *
 * @typedef {object} Browser
 * @property {string} name
 * @property {string} version
 * @property {(url: string) => Promise<Page>} open
 * @property {() => Promise<unknown>} close
 */

/** Which browser runs: `chromium`, `firefox` or `webkit`. */
export const chosen = process.env.MULTIVEC_BROWSER ?? "chromium";

/** Whether nothing is left out, as at night (`run.mjs --all`). */
export const isNight = process.env.MULTIVEC_THOROUGH === "1";

/** Whether what takes long is tested in full: in Chromium at every change, in the others at night. */
export const isThorough = chosen === "chromium" || isNight;

/** @returns {Promise<Browser>} */
export async function launchChosen(name = chosen) {
  const { launch } = await import(`./${name}.mjs`);
  return launch();
}

/** A page that has loaded, and whose module has run. */
export async function openPage(browser, url) {
  const page = await browser.open(url);
  const own = {
    /** Calls a function in the page with arguments that are JSON. */
    run: (code, ...args) => page.evaluate(`(${code})(...${JSON.stringify(args)})`),
    call: (name, ...args) => own.run("(name, ...args) => globalThis.api[name](...args)", name, ...args),
    async until(code, ...args) {
      for (let tries = 0; tries < 1200; tries += 1) {
        if (await own.run(code, ...args)) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`in vain: ${code}\n${(await own.problems()).join("\n")}`);
    },
    async goto(url) {
      await page.goto(url);
      await own.until("() => globalThis.ready === true");
    },
    reload: async () => own.goto(await own.run("() => location.href")),
    /** What the page noticed and the browser logged. */
    problems: async () => [...(await own.run("() => globalThis.problems ?? []")), ...(page.logged?.() ?? [])],
    /** Workers that run: as the browser says, else as the page counts them. */
    workers: async () => page.workers?.() ?? (await own.run("() => globalThis.workers.size")),
    close: () => page.close(),
  };
  await own.until("() => globalThis.ready === true");
  return own;
}

/** WebKitGTK's MiniBrowser forgets caches when a page is left, as it has no profile. */
export const keepsCaches = chosen !== "webkit";

/** The first of some programs that is there: a path, or a name on the `PATH`; `variable` may name another. */
export function firstProgram(variable, programs) {
  const all = [process.env[variable], ...programs].filter(Boolean);
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = all.flatMap((one) => (one.includes("/") ? [one] : folders.map((folder) => join(folder, one))));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`expected ${all.join(" or ")} (or ${variable}), found none`);
  return found;
}
