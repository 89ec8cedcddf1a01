// Dense vectors in fewer bytes, with the results of the native library, which
// computes in 32 bits. Source: sentence-transformers 6.2, `util/quantization.py`.

import type { DenseEmbedding } from "./embeddings/dense.js";
import { EncoderError, optionError } from "./errors.js";

/** The range of each column, from which its 256 levels follow. */
export interface Int8Ranges {
  /** The smallest value of each column. */
  readonly low: Float32Array;
  /** The largest value of each column. */
  readonly high: Float32Array;
}

// Levels of 8 bits between the smallest and the largest value.
const STEPS = 255;

/**
 * The ranges of embeddings such as those that will be quantized.
 *
 * @throws EncoderError `invalid_option` for fewer than two embeddings;
 *   `dimension_mismatch` if they differ in length
 */
export function int8Ranges(embeddings: readonly DenseEmbedding[]): Int8Ranges {
  const [first, ...rest] = embeddings;
  if (first === undefined || rest.length === 0) {
    throw optionError("calibration", "two embeddings or more", embeddings.length);
  }
  const [low, high] = [first.values.slice(), first.values.slice()];
  for (const { values } of rest) {
    checkDim(low.length, values.length);
    for (const [at, value] of values.entries()) {
      low[at] = Math.min(low[at]!, value);
      high[at] = Math.max(high[at]!, value);
    }
  }
  return { low, high };
}

/**
 * One of 256 levels for each column, from -128 on. Values outside of the
 * ranges get the nearest level.
 *
 * @throws EncoderError `dimension_mismatch` if the ranges are of other embeddings
 */
export function toInt8({ values }: DenseEmbedding, { low, high }: Int8Ranges): Int8Array {
  checkDim(Math.min(low.length, high.length), values.length);
  return Int8Array.from(values, (value, at) => {
    const step = Math.fround(Math.fround(high[at]! - low[at]!) / STEPS) || 1;
    const level = Math.floor(Math.fround(Math.fround(value - low[at]!) / step));
    return Math.min(Math.max(level, 0), STEPS) - 128;
  });
}

/**
 * A bit for each column, set for values above 0: 8 columns a byte, the first
 * in the highest bit, the last byte filled up with zeros.
 */
export function toBinary({ values }: DenseEmbedding): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(values.length / 8));
  for (const [at, value] of values.entries()) if (value > 0) bytes[at >> 3]! |= 128 >> (at & 7);
  return bytes;
}

function checkDim(expected: number, found: number): void {
  if (expected !== found) {
    throw new EncoderError("dimension_mismatch", `embedding: expected ${expected}, found ${found}`);
  }
}
