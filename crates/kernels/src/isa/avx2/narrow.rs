//! Products of 8 bits without AVX-VNNI.
//!
//! `vpmaddubsw` multiplies bytes and adds neighbouring products, saturating in 16
//! bits. Its sums, of several groups, are added up in 16 bits and widened to 32
//! from time to time. Three bounds keep them exact:
//!
//! - quantized values are at most `largest`, and the weights of a pair small
//!   enough for the instruction's own sum;
//! - sums in 16 bits are those of values less the middle of their range, which a
//!   term that all rows share subtracts. They may be off by multiples of 2^16
//!   until the last term is added;
//! - the magnitudes of the weights in such a sum are bounded.
//!
//! Sums of 32 bits stay in memory, in the nearest cache, and the weights of a few
//! groups in registers, for all rows of a tile.

use std::arch::x86_64::*;

use super::super::token::{AttentionLevels, Candidate, Narrow};
use super::Strided;
use super::tiles::COLUMNS;

/// Most rows of a tile.
pub(super) const ROWS: usize = 24;
/// Vectors of the columns of a tile.
const VECTORS: usize = COLUMNS / 8;
/// Groups whose products are summed in 16 bits, in layers and in attention: with
/// more, sums overflow more often, with fewer, widening takes longer.
const LAYER_GROUPS: usize = 3;
const ATTENTION_GROUPS: usize = 2;
/// Groups of exact products whose weights are in registers.
const EXACT_GROUPS: usize = 2;

/// In steps of a tenth of a bit. The first are as exact as 8 bits, almost, for
/// layers with few large weights. With the last one, pairs never overflow.
pub(super) const BOUNDS: Narrow = Narrow {
    groups: LAYER_GROUPS,
    lane: 2,
    is_centred: true,
    min_row: 128,
    candidates: &[
        Candidate {
            largest: 223,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 207,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 191,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 175,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 159,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 143,
            weights_per_correction: 1024,
        },
        Candidate {
            largest: 127,
            weights_per_correction: 96,
        },
    ],
};

/// Four keys or values of 7 bits times half of the range fit into 16 bits.
pub(super) const ATTENTION: AttentionLevels = AttentionLevels {
    unsigned: 254,
    signed: 64,
    subtracted: 127,
};

/// What a product reads and writes.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    /// Rows of the tile.
    pub(super) count: usize,
    pub(super) rows: Strided<*const u8>,
    pub(super) weights: *const i8,
    /// `[count, COLUMNS]`
    pub(super) sums: *mut i32,
}

impl Operands {
    /// The same from a group on.
    #[inline(always)]
    fn at_group(self, group: usize) -> Self {
        Self {
            rows: Strided {
                first: self.rows.first.wrapping_add(4 * group),
                ..self.rows
            },
            weights: self.weights.wrapping_add(4 * COLUMNS * group),
            ..self
        }
    }
}

/// Bounded products of a layer, of values less the middle of their range.
///
/// # Safety
/// That of [`Isa::multiply_narrow`](super::Isa::multiply_narrow).
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn layer(operands: Operands, groups: usize, middle: i32) {
    // SAFETY: the contract is the same.
    unsafe { narrow::<LAYER_GROUPS>(operands, groups, middle) };
}

/// Queries, less the middle of their range, times keys.
///
/// # Safety
/// That of [`Isa::multiply_queries`](super::Isa::multiply_queries).
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn queries(operands: Operands, groups: usize) {
    // SAFETY: the contract is the same.
    unsafe { narrow::<ATTENTION_GROUPS>(operands, groups, ATTENTION.subtracted) };
}

/// Weights of keys times values.
///
/// # Safety
/// That of [`Isa::multiply_weights`](super::Isa::multiply_weights).
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn weights(operands: Operands, groups: usize) {
    // SAFETY: the contract is the same.
    unsafe {
        let less = narrow::<ATTENTION_GROUPS>(operands, groups, ATTENTION.subtracted);
        let mut sums = operands.sums.cast::<__m256i>();
        for _ in 0..operands.count {
            for less in less {
                _mm256_storeu_si256(sums, _mm256_sub_epi32(_mm256_loadu_si256(sums), less));
                sums = sums.add(1);
            }
        }
    }
}

/// Computes the sums of values less `middle`. Returns what that takes from each row.
///
/// # Safety
/// `operands` has all groups, and room for all sums.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn narrow<const GROUPS: usize>(
    operands: Operands,
    groups: usize,
    middle: i32,
) -> [__m256i; VECTORS] {
    let mut less = [_mm256_setzero_si256(); VECTORS];
    // SAFETY: the caller provides all groups, and room for all sums.
    unsafe {
        let mut next = 0;
        if groups >= GROUPS {
            add_groups::<GROUPS, true>(operands, middle, &mut less);
            next = GROUPS;
            while next + GROUPS <= groups {
                add_groups::<GROUPS, false>(operands.at_group(next), middle, &mut less);
                next += GROUPS;
            }
        } else {
            operands.sums.write_bytes(0, operands.count * COLUMNS);
        }
        for group in next..groups {
            add_groups::<1, false>(operands.at_group(group), middle, &mut less);
        }
    }
    less
}

/// Adds the products of some groups, summed in 16 bits, to the sums, which the
/// `FIRST` ones overwrite. What values less `middle` take from each sum is added to
/// `less`.
///
/// # Safety
/// `operands` has that many groups, and the sums of all rows.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn add_groups<const GROUPS: usize, const FIRST: bool>(
    operands: Operands,
    middle: i32,
    less: &mut [__m256i; VECTORS],
) {
    let ones = _mm256_set1_epi16(1);
    let middle = _mm256_set1_epi8(middle as i8);
    let mut weights = [[_mm256_setzero_si256(); VECTORS]; GROUPS];
    let mut shared = [_mm256_setzero_si256(); VECTORS];
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        let at = operands.weights.cast::<__m256i>();
        for (group, weights) in weights.iter_mut().enumerate() {
            for vector in 0..VECTORS {
                weights[vector] = _mm256_loadu_si256(at.add(group * VECTORS + vector));
                let products = _mm256_maddubs_epi16(middle, weights[vector]);
                shared[vector] = _mm256_sub_epi16(shared[vector], products);
            }
        }
        for (less, shared) in less.iter_mut().zip(shared) {
            *less = _mm256_add_epi32(*less, _mm256_madd_epi16(shared, ones));
        }
        let (mut row, mut sums) = (operands.rows.first, operands.sums.cast::<__m256i>());
        for _ in 0..operands.count {
            let mut narrow = shared;
            for (group, weights) in weights.iter().enumerate() {
                let values = row.add(4 * group).cast::<i32>().read_unaligned();
                let values = _mm256_set1_epi32(values);
                for (narrow, weights) in narrow.iter_mut().zip(weights) {
                    *narrow = _mm256_add_epi16(*narrow, _mm256_maddubs_epi16(values, *weights));
                }
            }
            for narrow in narrow {
                let mut wide = _mm256_madd_epi16(narrow, ones);
                if !FIRST {
                    wide = _mm256_add_epi32(wide, _mm256_loadu_si256(sums));
                }
                _mm256_storeu_si256(sums, wide);
                sums = sums.add(1);
            }
            row = row.wrapping_add(operands.rows.stride);
        }
    }
}

/// Exact products of any weights: both are widened to 16 bits in registers.
///
/// # Safety
/// That of [`Isa::multiply_integers`](super::Isa::multiply_integers).
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn exact(operands: Operands, groups: usize) {
    // SAFETY: the caller provides all groups, and room for all sums.
    unsafe {
        let mut next = 0;
        if groups >= EXACT_GROUPS {
            exact_groups::<EXACT_GROUPS, true>(operands);
            next = EXACT_GROUPS;
            while next + EXACT_GROUPS <= groups {
                exact_groups::<EXACT_GROUPS, false>(operands.at_group(next));
                next += EXACT_GROUPS;
            }
        } else {
            operands.sums.write_bytes(0, operands.count * COLUMNS);
        }
        for group in next..groups {
            exact_groups::<1, false>(operands.at_group(group));
        }
    }
}

/// # Safety
/// `operands` has that many groups, and the sums of all rows.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn exact_groups<const GROUPS: usize, const FIRST: bool>(operands: Operands) {
    let bytes = _mm256_set1_epi16(0xff);
    // Those at even places of a group, and those at odd ones.
    let mut even = [[_mm256_setzero_si256(); VECTORS]; GROUPS];
    let mut odd = even;
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        let at = operands.weights.cast::<__m256i>();
        for group in 0..GROUPS {
            for vector in 0..VECTORS {
                let weights = _mm256_loadu_si256(at.add(group * VECTORS + vector));
                even[group][vector] = _mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8);
                odd[group][vector] = _mm256_srai_epi16(weights, 8);
            }
        }
        let (mut row, mut sums) = (operands.rows.first, operands.sums.cast::<__m256i>());
        for _ in 0..operands.count {
            let mut wide = [_mm256_setzero_si256(); VECTORS];
            for group in 0..GROUPS {
                let values = row.add(4 * group).cast::<i32>().read_unaligned();
                let values = _mm256_set1_epi32(values);
                let values = [
                    _mm256_and_si256(values, bytes),
                    _mm256_srli_epi16(values, 8),
                ];
                for (vector, wide) in wide.iter_mut().enumerate() {
                    let products = _mm256_add_epi32(
                        _mm256_madd_epi16(values[0], even[group][vector]),
                        _mm256_madd_epi16(values[1], odd[group][vector]),
                    );
                    *wide = _mm256_add_epi32(*wide, products);
                }
            }
            for mut wide in wide {
                if !FIRST {
                    wide = _mm256_add_epi32(wide, _mm256_loadu_si256(sums));
                }
                _mm256_storeu_si256(sums, wide);
                sums = sums.add(1);
            }
            row = row.wrapping_add(operands.rows.stride);
        }
    }
}
