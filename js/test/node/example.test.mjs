// What the example page computes, without the page: relevances, and passages
// of people's own texts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { Corpus, Encoder } from "../../dist/index.js";
import { corpus, questions } from "../../examples/search/corpus.js";
import { cut } from "../../examples/search/own/cut.js";
import { readFile, readText } from "../../examples/search/own/read.js";
import { levelOf, Question } from "../../examples/search/question.js";
import { demoModel, root } from "../support/fixtures.mjs";

let encoder;
let samples;
before(async () => {
  encoder = await Encoder.load(demoModel, { queryExpansion: "off" });
  samples = await encoder.encodeDocuments(corpus.map(({ text }) => text));
});

async function best(query, documents = samples) {
  const corpus = await Corpus.from(documents, { encoder });
  const question = await Question.ask(encoder, query, { background: samples });
  const [{ index, relevance }] = await question.rank(corpus);
  corpus.dispose();
  return { index, relevance, level: question.saysSomething ? levelOf(relevance) : "weak" };
}

// Other words than those that the levels were chosen with.
const ANSWERED = [
  ["why is bread fluffy", /yeast/],
  ["animal with several hearts", /octopus/],
  ["why did ships carry citrus fruit", /lemons/],
  ["how does the body learn to fight germs", /Vaccines/],
  ["encrypting messages between two persons", /Public-key/],
  ["moon in the shadow of the earth", /eclipse/],
  ["gas around black holes", /Black holes/],
  ["number of keys of a piano", /piano/],
  ["tired travellers in another time zone", /jet lag/],
  ["cooking pasta", /pasta/],
  ["how old is concrete of the Romans", /Roman/],
  ["insects that dance", /Bees/],
  ["index of words in documents", /inverted index/],
  ["watering tomatoes", /Tomatoes/],
  ["what do central banks do about inflation", /Inflation/],
];
const NONSENSE = [
  "mnbvc lkjhg poiuy",
  "trindle voosh paskel",
  "grumbo flantic swee dorp",
  "consectetur adipiscing elit sed",
  "kfjgh rtuz wnqx",
  "zib zab zob",
  "quonk the brillow",
  "and so it was to them",
  "of",
];
const UNRELATED = [
  "renewing a driving licence",
  "winner of the Eurovision song contest",
  "how to build a treehouse",
  "crochet patterns for beginners",
  "novels by Jane Austen",
  "stretching for runners with knee pain",
  "gluten free breakfast",
  "vaccinating hamsters against rabies in kennels",
];

test("questions that a passage answers look better than others", async () => {
  for (const [query, expected] of ANSWERED) {
    const { index, level } = await best(query);
    assert.match(corpus[index].text, expected, query);
    assert.notEqual(level, "weak", query);
  }
  const others = [];
  for (const query of [...NONSENSE, ...UNRELATED]) others.push({ query, ...(await best(query)) });
  const seen = JSON.stringify(others);
  assert.ok(!others.some(({ level }) => level === "strong"), seen);
  // Chance finds something related now and then.
  assert.ok(others.filter(({ level }) => level === "fair").length <= others.length / 6, seen);
  for (const query of questions) assert.notEqual((await best(query)).level, "weak", query);
});

test("relevances do not depend on what is searched", async () => {
  const read = (name) => readText(readFileSync(join(root, "docs", name), "utf8"), name);
  const { passages } = await cut(["browsers.md", "corpora.md", "int8.md"].flatMap(read), { limit: 100 });
  const documents = await encoder.encodeDocuments(passages.map(({ text }) => text));
  const levels = async (queries) => {
    const found = [];
    for (const query of queries) found.push((await best(query, documents)).level);
    return found;
  };
  const own = await levels(["which browsers have relaxed SIMD", "store vectors on disk", "how fast is it in Chromium"]);
  assert.ok(!own.includes("weak"), String(own));
  // What the samples answer, these do not.
  const others = await levels(["why is bread fluffy", "insects that dance", "watering tomatoes", ...UNRELATED]);
  assert.ok(others.filter((level) => level === "weak").length >= others.length - 1, String(others));
});

test("a passage with the question's own words has a relevance near 1", async () => {
  const [document] = await encoder.encodeDocuments(["why do loaves of bread rise"]);
  const question = await Question.ask(encoder, "why do loaves of bread rise?", { background: samples });
  const [{ relevance }] = await question.rank(await Corpus.from([document], { encoder }));
  assert.ok(relevance > 0.8 && relevance <= 1, String(relevance));
  const faded = question.words.filter(({ isStopWord }) => isStopWord).map(({ label }) => label);
  assert.deepEqual(faded, ["why", "do", "of"]);
});

const LONGEST = 400;
const bare = (text) => text.replaceAll(/\s+/g, "");

test("passages have all of a text, in order, and are short", async () => {
  const wrapped = "A sentence that goes on. ".repeat(40).replaceAll(/(.{60,70}) /g, "$1\n");
  const texts = {
    paragraphs: "One. Two! Three?\n\nFour is longer than three, as far as it goes.\n\n\n  Five.",
    wrapped,
    unbroken: "x".repeat(1500),
    astral: "😀".repeat(701),
    chinese: "面包会膨胀，因为酵母吃糖并放出气体。".repeat(60),
    windows: "first line\r\nsecond line\r\n\r\nthird line",
  };
  for (const [name, text] of Object.entries(texts)) {
    const { passages, isComplete } = await cut(readText(text, "a.txt"), { limit: 1000 });
    assert.ok(isComplete);
    assert.equal(bare(passages.map((passage) => passage.text).join("")), bare(text), name);
    for (const passage of passages) {
      assert.ok(passage.text.length > 0 && passage.text.length <= LONGEST, name);
      assert.ok(passage.text.isWellFormed?.() ?? true, name);
    }
  }
  const { passages } = await cut(readText(wrapped, "a.txt"), { limit: 1000 });
  for (const { text } of passages) assert.match(text, /^A sentence.*goes on\.$/);
  const some = await cut(readText(wrapped, "a.txt"), { limit: 1 });
  assert.deepEqual([some.passages.length, some.isComplete], [1, false]);
  const ended = AbortSignal.abort(new Error("cancelled"));
  await assert.rejects(cut(readText(wrapped, "a.txt"), { limit: 9, signal: ended }), /cancelled/);
});

test("rows of tables are passages", async () => {
  const rows = (text) => readText(text, "a.csv").map((section) => section.text);
  assert.deepEqual(rows('name,text\nbees,"They say ""buzz"",\nand dance."\n\nmoon,\n'), [
    "name | text",
    'bees | They say "buzz",\nand dance.',
    "moon",
  ]);
  assert.deepEqual(rows("a;b,c;d\r\n1,5;2;3"), ["a | b,c | d", "1,5 | 2 | 3"]);
  assert.deepEqual(rows('x\t"unclosed\ny\tz'), ['x | "unclosed', "y | z"]);
  const { passages } = await cut(readText("a,b\nc,d\n", "a.csv"), { limit: 9 });
  assert.deepEqual(passages, [
    { title: "a.csv, row 1", text: "a | b" },
    { title: "a.csv, row 2", text: "c | d" },
  ]);
});

test("of Markdown the words stay", () => {
  const source = `---
title: x
---
# First *part*
Some **bold**, \`code\`, a [link](https://example.org/a_(b) "t") and snake_case_name, 2 * 3 * 4.

- one
- [x] two

| a | b |
| --- | --- |
| 1 | 2 |

Second
------
\`\`\`js
const a = b ** 2; // # no heading
\`\`\`
`;
  const [first, second] = readText(source, "n.md");
  assert.equal(first.title, "n.md, First part");
  assert.equal(
    first.text.replaceAll(/\n+/g, "\n").trim(),
    "Some bold, code, a link and snake_case_name, 2 * 3 * 4.\none\ntwo\n a | b \n 1 | 2",
  );
  assert.deepEqual(second, { title: "n.md, Second", text: "const a = b ** 2; // # no heading\n" });
});

test("texts are decoded, and other files refused", async () => {
  const text = async (...bytes) => (await readFile(new File([Uint8Array.of(...bytes)], "a.txt"), {}))[0].text;
  assert.equal(await text(0x63, 0x61, 0x66, 0xc3, 0xa9), "café");
  assert.equal(await text(0x63, 0x61, 0x66, 0xe9), "café");
  assert.equal(await text(0xff, 0xfe, 0x63, 0x00, 0xe9, 0x00), "cé");
  assert.equal(await text(0xef, 0xbb, 0xbf, 0x63), "c");
  await assert.rejects(text(0x50, 0x4b, 0x03, 0x04, 0x00), { name: "UnreadableError" });
});
