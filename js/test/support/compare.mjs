// Compares two matrices. No imports, so that pages can use it.

/** Largest difference, and the mean and lowest cosine of the rows. */
export function compare(found, expected, dim) {
  if (found.length !== expected.length) throw new Error(`expected ${expected.length} values, found ${found.length}`);
  let difference = 0;
  const cosines = [];
  for (let start = 0; start < found.length; start += dim) {
    let [product, left, right] = [0, 0, 0];
    for (let at = start; at < start + dim; at += 1) {
      difference = Math.max(difference, Math.abs(found[at] - expected[at]));
      product += found[at] * expected[at];
      left += found[at] ** 2;
      right += expected[at] ** 2;
    }
    cosines.push(product / Math.sqrt(left * right));
  }
  const mean = cosines.reduce((sum, one) => sum + one, 0) / cosines.length;
  return { difference, mean, lowest: Math.min(...cosines) };
}
