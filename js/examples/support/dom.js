/** The element of the page with an id. */
export const $ = (id) => document.getElementById(id);

/** An element with properties and children; `data-` and `aria-` names are attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}
