// The popup: the model runs in a worker, which the popup ends when it closes.

import { Encoder } from "multivec";
import { MODEL, rankTabs } from "./tabs.js";

const query = document.querySelector("#query");
const results = document.querySelector("#results");

// The files are on the user's disk already.
const encoder = await Encoder.load(MODEL, { cache: false });
query.disabled = false;
query.focus();

query.addEventListener("input", async () => {
  const asked = query.value;
  const found = asked.trim() === "" ? [] : await rankTabs(encoder, asked);
  // The user has typed on meanwhile.
  if (asked !== query.value) return;
  results.replaceChildren(
    ...found.slice(0, 10).map(({ id, title }) => {
      const button = document.createElement("button");
      button.textContent = title;
      button.addEventListener("click", () => chrome.tabs.update(id, { active: true }));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
});
