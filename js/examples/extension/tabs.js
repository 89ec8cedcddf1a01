// Ranks the open tabs by their titles.

import { rank } from "multivec";

/** Where the extension has the model. */
export const MODEL = chrome.runtime.getURL("model/");

/** The tabs whose titles fit a query, the best first: `{ id, title, score }`. */
export async function rankTabs(encoder, query) {
  const tabs = (await chrome.tabs.query({})).filter(({ title }) => title);
  const titles = await encoder.encodeDocuments(tabs.map(({ title }) => title));
  const ranking = rank(await encoder.encodeQuery(query), titles);
  return ranking.map(({ index, score }) => ({ id: tabs[index].id, title: tabs[index].title, score }));
}
