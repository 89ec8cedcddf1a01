// The example page, built and used. With UPDATE_SCREENSHOT=1 it also takes
// the README's picture.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkAccess, FIELD, openExample, serveExample, untilReady } from "./support/example.mjs";

const texts = (page, selector) => page.locator(selector).allTextContents();

async function ask(page, question) {
  await page.fill(FIELD, "");
  await page.waitForFunction(() => document.querySelector("#results").childElementCount === 0);
  await page.fill(FIELD, question);
  await page.waitForSelector(".result");
}

test("the example page", async (context) => {
  const served = await serveExample(context, "search");
  const { page, problems } = await openExample(served, { hasTouch: true });
  await untilReady(page);

  await context.test("says what can be found, finds it, and shows which words matched", async () => {
    assert.match(await page.textContent("#about"), /60 passages.*biology.*medicine/s);
    await checkAccess(page, "start");
    const [example] = await texts(page, "#questions button");
    await page.click("#questions button");
    assert.equal(await page.inputValue(FIELD), example);
    await page.waitForSelector(".result mark");
    assert.match(await page.textContent(".result .text"), /yeast/);
    assert.match(await page.textContent(".result .label"), /^close, [5-9]\d%$/);
    const marked = await texts(page, ".result:first-child mark[style]");
    assert.ok(marked.includes("Bread") && marked.includes("rises"), String(marked));
    assert.ok(await page.isHidden("#about"));
    // Times come after the answer.
    const order = await page.evaluate(() =>
      document.querySelector("#results").compareDocumentPosition(document.querySelector("#timings")),
    );
    assert.equal(order, 4);
    context.diagnostic((await texts(page, "#timings li")).join("; "));
    if (process.env.UPDATE_SCREENSHOT) {
      await ask(page, "why does ice float on water");
      await page.evaluate(() => document.activeElement.blur());
      const clip = { x: 50, y: 20, width: 800, height: 503 };
      await page.screenshot({ path: join(served.root, "screenshot.png"), clip });
      await ask(page, example);
    }
  });

  await context.test("has words to choose, by keyboard and by touch", async () => {
    assert.deepEqual(await texts(page, "#words button"), ["why", "do", "loaves", "of", "bread", "rise"]);
    assert.deepEqual(await texts(page, "#words .stop"), ["why", "do", "of"]);
    const found = () => texts(page, ".result:first-child mark.on");
    await page.focus(FIELD);
    // The button that clears, then the words.
    for (let presses = 0; presses < 6; presses += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.getAttribute("#words button:nth-child(5)", "aria-pressed"), "true");
    assert.deepEqual(await found(), ["Bread"]);
    await checkAccess(page, "a word chosen");
    await page.tap("#words button:nth-child(6)");
    assert.deepEqual(await found(), ["rises"]);
    assert.equal(await page.locator("#words [aria-pressed=true]").count(), 1);
    await page.tap("#words button:nth-child(6)");
    assert.deepEqual(await found(), []);
    await page.tap("#search .clear");
    await page.waitForFunction(() => document.querySelector("#words").childElementCount === 0);
    assert.ok(await page.isVisible("#about"));
    assert.equal(await page.locator(".result").count(), 0);
  });

  await context.test("shows poor hits as poor", async () => {
    await ask(page, "blorp wizzle fnord");
    assert.match(await page.textContent("#summary"), /^Nothing here/);
    const levels = await page.locator(".result").evaluateAll((hits) => hits.map((hit) => hit.dataset.level));
    assert.deepEqual(levels, ["weak", "weak", "weak"]);
    await checkAccess(page, "nonsense");
    await ask(page, "what is that");
    assert.match(await page.textContent("#summary"), /^Nearly every text/);
  });

  await context.test("shows long questions whole on narrow screens, and scores in one line", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await ask(page, "how do animals that live in the dark find their way home without seeing anything at all");
    const field = await page.locator(FIELD).evaluate((field) => ({
      hidden: field.scrollHeight - field.clientHeight + field.scrollWidth - field.clientWidth,
      lines: Math.floor(field.clientHeight / Number.parseFloat(getComputedStyle(field).lineHeight)),
    }));
    assert.equal(field.hidden, 0);
    assert.ok(field.lines >= 3);
    const heights = await page.locator(".head").evaluateAll((heads) => heads.map((head) => head.clientHeight));
    for (const height of heights) assert.ok(height < 30, `a score of ${height} px`);
  });
  assert.deepEqual(problems, []);

  await context.test("says why the model does not load, and tries again", async () => {
    served.app.behaviour.set("/model/model_int8.onnx", { status: 503 });
    const { page, problems } = await openExample(served);
    await page.waitForSelector("[role=alert]");
    assert.match(await page.textContent("[role=alert]"), /cannot be loaded.*503/s);
    await checkAccess(page, "failure");
    served.app.behaviour.delete("/model/model_int8.onnx");
    await page.click("text=Try again");
    await untilReady(page);
    assert.equal(await page.locator("[role=alert]").count(), 0);
    // A worker that dies is replaced, and the question asked again.
    await Promise.all(page.workers().map((worker) => worker.evaluate("void setTimeout(() => missing())")));
    await page.fill(FIELD, "why do loaves of bread rise");
    await page.waitForSelector("[role=alert]");
    await page.click("text=Try again");
    await page.waitForSelector(".result mark");
    assert.match(await page.textContent(".result .text"), /yeast/);
    assert.deepEqual(problems, []);
  });
});
