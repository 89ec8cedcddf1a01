// 16-bit floats, with the results of the native library. Source: IEEE 754,
// binary16.

import { DenseEmbedding } from "./embeddings/dense.js";
import type { Matrix } from "./embeddings/multi-vector.js";

const FLOATS = new Float32Array(1);
const BITS = new Uint32Array(FLOATS.buffer);

/**
 * The nearest 16-bit floats, as their bits: of a dense embedding `[dim]`, of a
 * multi-vector `[tokens, dim]`, row-major. `new Float16Array(bits.buffer)`
 * shows them as numbers where the platform has it. Values from 65,520 on
 * become infinite.
 */
export function toFloat16(embedding: DenseEmbedding | Matrix): Uint16Array {
  const values = embedding instanceof DenseEmbedding ? embedding.values : embedding.data;
  return Uint16Array.from(values, half);
}

/** The values of 16-bit floats: of {@link toFloat16}, or from a store. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, (value) => {
    const [sign, exponent, fraction] = [value & 0x8000 ? -1 : 1, (value >> 10) & 0x1f, value & 0x3ff];
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}

/** Rounds to the nearest, ties to even. */
function half(value: number): number {
  FLOATS[0] = value;
  const bits = BITS[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  // Normal numbers: the exponent's bias is 112 less.
  if (magnitude >= 0x3880_0000) return sign | (((magnitude + 0xfff + ((magnitude >> 13) & 1)) >> 13) - (112 << 10));
  // Multiples of 2^-24, which addition to 0.5 rounds to.
  BITS[0] = magnitude;
  FLOATS[0]! += 0.5;
  return sign | (BITS[0]! - 0x3f00_0000);
}
