import { element } from "./dom.js";

/** Shows example questions in a list; `ask(question)` is called with the chosen one. */
export function showQuestions(list, questions, ask) {
  list.replaceChildren(
    ...questions.map((question) =>
      element("li", {}, element("button", { type: "button", textContent: question, onclick: () => ask(question) })),
    ),
  );
}
