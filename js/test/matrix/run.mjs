// The packed package in every environment: `npm run test:matrix`. Without
// names all run, with `--fast` those of the test command.

import { parseArgs } from "node:util";
import { end } from "./check.mjs";
import { environments } from "./environments.mjs";

const { values, positionals } = parseArgs({ options: { fast: { type: "boolean" } }, allowPositionals: true });
const wanted = environments.filter(({ name, isFast }) =>
  positionals.length > 0
    ? positionals.some((part) => name.toLowerCase().includes(part.toLowerCase()))
    : isFast || !values.fast,
);
if (wanted.length === 0) throw new Error(`expected a name of ${environments.map(({ name }) => name).join(", ")}`);

const rows = [];
const failures = [];
for (const environment of wanted) {
  const { name, version, needs, where } = environment;
  const start = Date.now();
  let result = "works";
  try {
    await environment.check(values.fast ? "fast" : "all");
  } catch (error) {
    result = "FAILS";
    failures.push(`${name}: ${error.stack}`);
  }
  const seconds = Math.round((Date.now() - start) / 1000);
  rows.push([name, version, where, needs, result, `${seconds} s`]);
  console.error(`${name}: ${result} (${seconds} s)`);
}
await end();

const HEAD = ["environment", "version", "tried in", "needs", "result", "time"];
const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...rows].map((row) => row[column].length)));
const line = (row) =>
  row
    .map((text, column) => text.padEnd(widths[column]))
    .join("  ")
    .trimEnd();
console.log([HEAD, ...rows].map(line).join("\n"));
for (const failure of failures) console.log(`\n${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
