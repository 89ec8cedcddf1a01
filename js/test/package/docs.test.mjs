// The documentation of what the package runs in.

import assert from "node:assert/strict";
import { test } from "node:test";
import { environments } from "../matrix/environments.mjs";
import { documented } from "../matrix/table.mjs";

test("docs/browsers.md has the environments of the matrix (`node test/matrix/table.mjs` writes them)", () => {
  const { found, expected } = documented();
  assert.equal(found, expected);
});

test("environments have names of their own", () => {
  const names = environments.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});
