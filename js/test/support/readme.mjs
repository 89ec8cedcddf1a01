// The code blocks of the README.

import { readFileSync } from "node:fs";

/** The JavaScript blocks, with some texts replaced. */
export function readmeCode(replacements) {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  return Array.from(readme.matchAll(/^```js\n(.*?)^```$/gms), ([, code]) =>
    Object.entries(replacements).reduce((text, [from, to]) => text.replaceAll(from, to), code),
  );
}
