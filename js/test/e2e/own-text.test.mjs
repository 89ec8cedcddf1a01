// Texts of people's own in the example page: pasted, chosen and dropped.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pdf } from "../support/pdf.mjs";
import { checkAccess, FIELD, openExample, serveExample, untilReady } from "./support/example.mjs";

const TEXT = `The boat needs new paint below the waterline before June.

Grandmother's plum cake: a pound of plums, half a pound of flour, bake for forty minutes. Let it cool in the tin, as it breaks when it is warm.

The neighbours feed the cat when we are away, and the key hangs behind the ivy at the garden gate.`;

const TABLE = 'device,fault\npump,"leaks at the seal, replace it"\nlamp,flickers when it is cold\n';

const BOOK = [
  [
    "Lighthouses were lit by wood, coal and later oil, and their keep-",
    "ers climbed the stairs every few hours to trim the wicks.",
    "",
    "A lens invented by Fresnel throws the light of a small lamp far",
    "across the sea.",
  ],
  ["Foghorns warn ships when no light can be seen.", { chinese: "灯塔指引船只" }],
];

async function untilSearching(page, what) {
  await page.waitForFunction((what) => document.querySelector("#name").textContent === `What is here: ${what}`, what);
}

async function best(page, question) {
  await page.fill(FIELD, question);
  await page.waitForSelector(".result");
  const found = await page.textContent(".result .text");
  const title = await page.textContent(".result .title");
  await page.fill(FIELD, "");
  await page.waitForFunction(() => document.querySelector("#results").childElementCount === 0);
  return { found, title };
}

test("the example page searches people's own texts", async (context) => {
  const served = await serveExample(context, "search");
  const { page, problems } = await openExample(served);
  await untilReady(page);
  const requests = [];
  page.on("request", (request) => requests.push(`${request.method()} ${request.url()}`));
  const upload = (files) =>
    page.setInputFiles(
      "#files",
      files.map(([name, buffer]) => ({ name, mimeType: "", buffer: Buffer.from(buffer) })),
    );

  await context.test("pasted", async () => {
    await page.fill("#paste", TEXT);
    await page.click("text=Search this text");
    await untilSearching(page, "3 passages of your text");
    await checkAccess(page, "own text");
    const { found } = await best(page, "where can I find the key of the house");
    assert.match(found, /behind the ivy/);
    assert.match((await best(page, "dessert with fruit")).found, /plum cake/);
    assert.deepEqual(requests, []);
  });

  await context.test("as a table and notes, and back to the samples", async () => {
    const notes = "# Garden\nPrune the **roses** in [March](https://example.org).\n";
    await upload([
      ["faults.csv", TABLE],
      ["notes.md", notes],
    ]);
    await untilSearching(page, "4 passages of 2 files");
    assert.deepEqual(await best(page, "water drips from the machine"), {
      found: "pump | leaks at the seal, replace it",
      title: "faults.csv, row 2",
    });
    assert.deepEqual(await best(page, "cutting flowers in spring"), {
      found: "Prune the roses in March.",
      title: "notes.md, Garden",
    });
    await page.click("text=Back to the samples");
    await untilSearching(page, "60 passages");
    assert.match((await best(page, "why do loaves of bread rise")).found, /yeast/);
  });

  await context.test("as a PDF, whose reader is loaded for it alone", async () => {
    assert.deepEqual(requests, []);
    const chunks = readdirSync(join(served.outDir, "assets"), { recursive: true }).filter((name) =>
      /pdf.*\.js$/.test(name),
    );
    assert.ok(chunks.length > 0);
    for (const chunk of chunks) served.app.behaviour.set(`/assets/${chunk}`, { status: 503 });
    await upload([["lights.pdf", pdf(BOOK)]]);
    await page.waitForSelector("#reading [role=alert]");
    assert.match(await page.textContent("#reading"), /Cannot search lights\.pdf.*did not load/s);
    await checkAccess(page, "failure of a file");
    for (const chunk of chunks) served.app.behaviour.delete(`/assets/${chunk}`);
    await page.click("#reading >> text=Try again");
    await untilSearching(page, "3 passages of lights.pdf");
    const { found, title } = await best(page, "people who looked after the lamps");
    assert.match(found, /their keepers climbed/);
    assert.equal(title, "lights.pdf, page 1");
    assert.match((await best(page, "sound in the mist")).found, /Foghorns.*灯塔指引船只/);
    // Only parts of the page itself were asked for, and nothing was sent.
    for (const request of requests) assert.ok(request.startsWith(`GET ${served.app.origin}/`), request);
  });

  await context.test("refuses what it cannot read, and says why", async () => {
    for (const [name, bytes, reason] of [
      ["scan.pdf", pdf([[]]), /pictures/],
      ["broken.pdf", "%PDF-1.7 and no more", /damaged/],
      ["letter.docx", "PK\u0003\u0004\0\0", /not a text/],
      ["empty.txt", " \n", /no text/],
    ]) {
      await upload([[name, bytes]]);
      await page.waitForFunction((name) => document.querySelector("#reading b")?.textContent.includes(name), name);
      assert.match(await page.textContent("#reading"), reason);
      await page.click("#reading >> text=Dismiss");
    }
    assert.match(await page.textContent("#name"), /lights\.pdf$/);
  });

  await context.test("dropped, searched while the rest is encoded, and stopped", async () => {
    await page.evaluate(() => {
      const text = "Every sentence of this long text is a little different, it has the number ";
      const lines = Array.from({ length: 20_000 }, (_, at) => `${text}${at}.`);
      const transfer = new DataTransfer();
      transfer.items.add(new File(["Foxes sleep under the shed.\n\n", lines.join("\n")], "long.txt"));
      for (const type of ["dragover", "drop"])
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    });
    const encoding = /Encoding long.txt: [1-9]\d* of 2,000/;
    await page.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector("#reading").textContent),
      encoding.source,
    );
    await untilSearching(page, "2,000 passages of long.txt");
    await checkAccess(page, "encoding");
    assert.match((await best(page, "wild animals in the garden")).found, /Foxes/);
    assert.match(await page.textContent("#reading"), encoding);
    await page.click("#reading >> text=Stop");
    await page.waitForFunction(() => /^What is here: \d+ passages/.test(document.querySelector("#name").textContent));
    assert.equal(await page.textContent("#reading"), "");
    assert.match(await page.textContent("#notes"), /Only the first \d+ passages are searched/);
    assert.match((await best(page, "wild animals in the garden")).found, /Foxes/);
  });
  assert.deepEqual(problems, []);
});
