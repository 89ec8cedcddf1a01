// The table of environments in docs/browsers.md.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/fixtures.mjs";
import { environments } from "./environments.mjs";

const path = join(root, "docs/browsers.md");
const [START, END] = ["<!-- environments -->\n", "<!-- end -->\n"];

/** The document, with its table as it has to be. */
export function documented() {
  const text = readFileSync(path, "utf8");
  const rows = environments.map(
    ({ name, version, where, needs }) => `| ${name} | ${version} | ${where} | ${needs} |\n`,
  );
  const table = `\n| | version | tried in | needs |\n| --- | --- | --- | --- |\n${rows.join("")}\n`;
  const [start, end] = [text.indexOf(START) + START.length, text.indexOf(END)];
  if (end < start) throw new Error(`${path}: expected ${START}and ${END}`);
  return { found: text, expected: text.slice(0, start) + table + text.slice(end) };
}

if (process.argv[1] === import.meta.filename) writeFileSync(path, documented().expected);
