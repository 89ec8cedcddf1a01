// The service worker: `tab` and a space in the address bar suggest tabs. It
// cannot start workers, so that the model runs in place. Chromium ends it when
// it is idle, and the next call loads the model again.

import { Encoder } from "multivec";
import { MODEL, rankTabs } from "./tabs.js";

let loading;

async function search(query) {
  loading ??= Encoder.load(MODEL, { cache: false });
  // A failure is not kept.
  loading.catch(() => (loading = undefined));
  return rankTabs(await loading, query);
}

const escaped = (text) => text.replace(/[<>&"']/g, (found) => `&#${found.charCodeAt(0)};`);

chrome.omnibox.onInputChanged.addListener(async (text, suggest) => {
  const found = await search(text);
  suggest(found.slice(0, 5).map(({ id, title }) => ({ content: String(id), description: escaped(title) })));
});

chrome.omnibox.onInputEntered.addListener(async (text) => {
  const id = /^\d+$/.test(text) ? Number(text) : (await search(text))[0]?.id;
  if (id !== undefined) await chrome.tabs.update(id, { active: true });
});

// Other pages of the extension may ask as well.
chrome.runtime.onMessage.addListener(({ query }, _, answer) => {
  search(query).then(answer, (error) => answer({ failed: String(error) }));
  // The answer comes later.
  return true;
});
