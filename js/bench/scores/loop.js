// MaxSim as the package computed it before it used WebAssembly.

export function plain(query, documents) {
  return documents.map((document) => best(query, document).scores.reduce((sum, one) => sum + one, 0));
}

/** For each query row the document row with the best product, and that product. */
function best(query, document) {
  const { dim, tokens } = document;
  const left = query.data;
  const right = document.data;
  const rows = new Int32Array(query.tokens);
  const scores = new Float64Array(query.tokens);
  const last = query.tokens - 1;
  // Four query rows at a time read each document row once: four times as fast.
  for (let row = 0; row <= last; row += 4) {
    const [second, third, fourth] = [Math.min(row + 1, last), Math.min(row + 2, last), Math.min(row + 3, last)];
    const [atFirst, atSecond, atThird, atFourth] = [row * dim, second * dim, third * dim, fourth * dim];
    for (let other = 0; other < tokens; other += 1) {
      const start = other * dim;
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let at = 0; at < dim; at += 1) {
        const value = right[start + at];
        a += left[atFirst + at] * value;
        b += left[atSecond + at] * value;
        c += left[atThird + at] * value;
        d += left[atFourth + at] * value;
      }
      keep(rows, scores, row, other, a);
      keep(rows, scores, second, other, b);
      keep(rows, scores, third, other, c);
      keep(rows, scores, fourth, other, d);
    }
  }
  return { rows, scores };
}

function keep(rows, scores, row, other, product) {
  if (other === 0 || product > scores[row]) {
    rows[row] = other;
    scores[row] = product;
  }
}
