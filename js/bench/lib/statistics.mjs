// Numbers from repeated measurements.

/** The value that `part` of the values, 0 to 1, do not exceed, by nearest rank. */
export function percentile(values, part) {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
}

export function summary(values) {
  return {
    median: percentile(values, 0.5),
    low: percentile(values, 0.1),
    high: percentile(values, 0.9),
    count: values.length,
  };
}
