// WebKitGTK's MiniBrowser, by WebDriver. A driver has one session, so that
// each page has a driver of its own.

import { spawn } from "node:child_process";
import { request } from "node:http";
import { freePort } from "../port.mjs";
import { firstProgram } from "./driver.mjs";

const LONGEST = 600_000;

/** @returns {Promise<import("./driver.mjs").Browser>} */
export async function launch() {
  const display = await startDisplay();
  const driver = firstProgram("WEBKIT_DRIVER", ["WebKitWebDriver"]);
  const browser = firstProgram("WEBKIT_BROWSER", [
    "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
    "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.0/MiniBrowser",
    "/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
  ]);
  const running = new Set();
  const start = async () => {
    const session = await startSession(driver, browser, display.name);
    running.add(session);
    return session;
  };
  const first = await start();
  return {
    name: "WebKitGTK",
    version: first.version,
    async open(url) {
      const session = await start();
      const goto = (url) => session.send("POST", "/url", { url });
      await goto(url);
      return {
        evaluate: (code) => session.evaluate(code),
        goto,
        async close() {
          running.delete(session);
          await session.end();
        },
      };
    },
    async close() {
      await Promise.all([...running].map((session) => session.end()));
      display.end();
    },
  };
}

/** A display that nobody sees, or the one that is there. */
async function startDisplay() {
  if (process.env.DISPLAY) return { name: process.env.DISPLAY, end() {} };
  const server = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const number = await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`Xvfb ended: ${code}`)));
    server.stdio[3].once("data", (data) => resolve(String(data).trim()));
  });
  return { name: `:${number}`, end: () => server.kill() };
}

async function startSession(driver, browser, display) {
  const port = await freePort();
  const child = spawn(driver, ["-p", String(port)], {
    env: {
      ...process.env,
      DISPLAY: display,
      GDK_BACKEND: "x11",
      // Its sandbox does not start for root or in containers; only our own pages are opened.
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
      WEBKIT_DISABLE_COMPOSITING_MODE: "1",
      WEBKIT_DISABLE_DMABUF_RENDERER: "1",
      NO_AT_BRIDGE: "1",
    },
    stdio: "ignore",
  });
  const failed = new Promise((_, reject) => child.once("error", reject));
  failed.catch(() => undefined);
  const send = (method, path, body) => Promise.race([failed, call({ port, method, path, body })]);
  await waitFor(() => send("GET", "/status"));
  const alwaysMatch = {
    "webkitgtk:browserOptions": { binary: browser, args: ["--automation"] },
    timeouts: { script: LONGEST, pageLoad: LONGEST },
  };
  const { sessionId, capabilities } = await send("POST", "/session", { capabilities: { alwaysMatch } });
  const inSession = (method, path, body) => send(method, `/session/${sessionId}${path}`, body);
  return {
    version: capabilities.browserVersion,
    send: inSession,
    async evaluate(code) {
      // What is returned is kept as it is only in JSON.
      const script = `const done = arguments[arguments.length - 1];
        (async () => (${code}))().then(
          (value) => done({ json: JSON.stringify(value) ?? "null" }),
          (error) => done({ error: String(error) + "\\n" + error?.stack }),
        );`;
      const found = await inSession("POST", "/execute/async", { script, args: [] });
      if (found.error !== undefined) throw new Error(found.error);
      return JSON.parse(found.json);
    },
    async end() {
      await inSession("DELETE", "").catch(() => undefined);
      child.kill();
    },
  };
}

/** One request of the protocol; its errors are thrown. */
function call({ port, method, path, body }) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers =
      text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const sent = request({ host: "127.0.0.1", port, method, path, headers }, async (response) => {
      const parts = [];
      for await (const part of response) parts.push(part);
      const { value } = JSON.parse(Buffer.concat(parts).toString() || "{}");
      if (response.statusCode < 400) resolve(value);
      else reject(new Error(`WebDriver: ${value?.error}: ${value?.message}`));
    });
    sent.once("error", reject);
    sent.end(text);
  });
}

async function waitFor(attempt) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
