// What the peers have in common: they run the graph on ids, and leave out
// tokenizing, the choice of rows and their normalization.

/** `[rows, length]` of int64; texts of a case are equally long. */
export function shapeOf(texts) {
  const length = texts[0].ids.length;
  if (texts.some(({ ids }) => ids.length !== length)) throw new Error("texts of a case: expected equal lengths");
  return [texts.length, length];
}

export function idsOf(texts) {
  return BigInt64Array.from(texts.flatMap(({ ids }) => ids.map(BigInt)));
}

/** The kept rows of `[rows, length, dim]`. */
export function keptRows({ data, dims }, texts) {
  const [, length, dim] = dims;
  const rows = texts.flatMap(({ kept }, text) => kept.flatMap((keep, at) => (keep ? [text * length + at] : [])));
  const found = new Float32Array(rows.length * dim);
  for (const [at, row] of rows.entries()) found.set(data.subarray(row * dim, (row + 1) * dim), at * dim);
  return found;
}
