import { element } from "./dom.js";

/**
 * A hit. `share`, from 0 to 1, is the length of its meter; `level`, `"strong"`,
 * `"fair"` or `"weak"`, how it looks.
 */
export function card({ title, text, level, label, share }, ...more) {
  const fill = element("span");
  fill.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return element(
    "li",
    { className: "result", "data-level": level },
    element(
      "div",
      { className: "head" },
      element("span", { className: "title", textContent: title }),
      element("span", { className: "label", textContent: label }),
      element("span", { className: "meter", "aria-hidden": "true" }, fill),
    ),
    element("p", { className: "text" }, ...[text].flat()),
    ...more,
  );
}
