// From matches of rows to coloured words.

/** The words of a query, with the rows they are and a hue each. */
export function queryTokens(text, query) {
  const tokens = [];
  for (let row = 0; row < query.tokens; row += 1) {
    const [token] = query.rowTokens(row);
    // Only what was typed; markers and expansion have no place in the text.
    if (token.role === "text") tokens.push({ row, label: text.slice(...token.span) });
  }
  return tokens.map((token, at) => ({ ...token, hue: Math.round((360 * at) / tokens.length + 200) % 360 }));
}

/** A passage as nodes, with a mark at every token that a word of the query matched. */
export function highlight(text, document_, tokens, found) {
  const marks = new Map();
  for (const { row, hue } of tokens) {
    const { row: matched, score } = found[row];
    if (matched === null) continue;
    const [token] = document_.rowTokens(matched);
    if (token.span === null) continue;
    const mark = marks.get(matched) ?? { span: token.span, rows: [], hue, score };
    mark.rows.push(row);
    if (score > mark.score) Object.assign(mark, { hue, score });
    marks.set(matched, mark);
  }
  const nodes = [];
  let end = 0;
  for (const { span, rows, hue, score } of [...marks.values()].sort((a, b) => a.span[0] - b.span[0])) {
    nodes.push(text.slice(end, span[0]));
    const mark = Object.assign(document.createElement("mark"), {
      textContent: text.slice(...span),
      title: score.toFixed(2),
    });
    mark.dataset.rows = rows.join(" ");
    mark.style.setProperty("--hue", hue);
    mark.style.setProperty("--strength", Math.max(0, score) ** 2 * 0.7);
    nodes.push(mark);
    end = span[1];
  }
  nodes.push(text.slice(end));
  return nodes;
}
