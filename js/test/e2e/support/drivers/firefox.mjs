// Firefox, by WebDriver BiDi.

import puppeteer from "puppeteer-core";
import { firstProgram } from "./driver.mjs";

const LONGEST = 600_000;

/** @returns {Promise<import("./driver.mjs").Browser>} */
export async function launch() {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: firstProgram("FIREFOX_PATH", ["firefox-esr", "firefox"]),
    headless: true,
    timeout: LONGEST,
    protocolTimeout: LONGEST,
  });
  return {
    name: "Firefox",
    version: (await browser.version()).replace(/.*\//, ""),
    async open(url) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      page.setDefaultTimeout(LONGEST);
      const problems = [];
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      await page.goto(url);
      return {
        evaluate: (code) => page.evaluate(code),
        goto: (url) => page.goto(url),
        logged: () => problems,
        close: () => context.close(),
      };
    },
    close: () => browser.close(),
  };
}
