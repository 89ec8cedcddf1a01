// Random vectors, and MaxSim by its definition.

/** Numbers from 0 to 1, the same for a seed. */
export function randoms(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Rows of norm 1. */
export function randomMatrix(random, tokens, dim) {
  const data = new Float32Array(tokens * dim);
  for (let row = 0; row < tokens; row += 1) {
    const values = Array.from({ length: dim }, () => random() - 0.5);
    const norm = Math.hypot(...values) || 1;
    data.set(
      values.map((value) => value / norm),
      row * dim,
    );
  }
  return { data, tokens, dim };
}

/** All products, `[query rows, document rows]`. */
export function plainProducts(query, document) {
  const products = [];
  for (let row = 0; row < query.tokens; row += 1) {
    for (let other = 0; other < document.tokens; other += 1) {
      let product = 0;
      for (let at = 0; at < query.dim; at += 1) {
        product += query.data[row * query.dim + at] * document.data[other * query.dim + at];
      }
      products.push(product);
    }
  }
  return products;
}

export function plainScore(query, document) {
  if (document.tokens === 0) return 0;
  const products = plainProducts(query, document);
  let sum = 0;
  for (let row = 0; row < query.tokens; row += 1) {
    sum += Math.max(...products.slice(row * document.tokens, (row + 1) * document.tokens));
  }
  return sum;
}
