// Chromium, by Playwright.

import { launch as launchChromium } from "../browser.mjs";

/** @returns {Promise<import("./driver.mjs").Browser>} */
export async function launch() {
  const browser = await launchChromium();
  return {
    name: "Chromium",
    version: browser.version(),
    async open(url) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const problems = [];
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      await page.goto(url);
      return {
        evaluate: (code) => page.evaluate(code),
        goto: (url) => page.goto(url),
        workers: () => page.workers().length,
        logged: () => problems,
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}
