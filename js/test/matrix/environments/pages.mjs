// What the tests of pages have: places in browsers other than a page.

import { join } from "node:path";
import { packageFolder } from "../../e2e/support/packed.mjs";
import { run } from "../project.mjs";

const tested = (name, file, needs) => ({
  name,
  version: "",
  needs,
  where: "Chromium",
  async check() {
    // A run of tests inside another one reports to that one.
    const env = { NODE_TEST_CONTEXT: undefined };
    run(packageFolder, process.execPath, ["--test", join("test/e2e", file)], { env });
  },
});

export default [
  tested("MV3 extension", "extension.test.mjs", "`script-src 'self' 'wasm-unsafe-eval'` in its manifest"),
  tested("service worker, shared worker", "scopes.test.mjs", '`{ type: "module" }`'),
];
