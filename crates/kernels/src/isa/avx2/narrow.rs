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
use std::hint::black_box;

use super::Strided;
use super::bounds::{ATTENTION, ATTENTION_GROUPS, LAYER_GROUPS};
use super::tiles::{COLUMNS, VECTORS};

/// Most rows of a tile.
pub(super) const ROWS: usize = 24;

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
    pub(super) fn at_group(self, group: usize) -> Self {
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
    let constants = Constants {
        middle: _mm256_set1_epi8(middle as i8),
        // Hidden from the compiler, which would load it for each row.
        ones: black_box(_mm256_set1_epi16(1)),
    };
    // SAFETY: the caller provides all groups, and room for all sums.
    unsafe {
        let mut next = 0;
        if groups >= GROUPS {
            add_groups::<GROUPS, true>(operands, constants, &mut less);
            next = GROUPS;
            while next + GROUPS <= groups {
                add_groups::<GROUPS, false>(operands.at_group(next), constants, &mut less);
                next += GROUPS;
            }
        } else {
            operands.sums.write_bytes(0, operands.count * COLUMNS);
        }
        for group in next..groups {
            add_groups::<1, false>(operands.at_group(group), constants, &mut less);
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
    Constants { middle, ones }: Constants,
    less: &mut [__m256i; VECTORS],
) {
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        let groups = Groups::<GROUPS>::load(operands.weights, middle);
        for (less, shared) in less.iter_mut().zip(groups.shared) {
            *less = _mm256_add_epi32(*less, _mm256_madd_epi16(shared, ones));
        }
        let Strided { first, stride } = operands.rows;
        let (mut row, mut sums) = (first, operands.sums.cast::<__m256i>());
        // Two at a time: what a loop takes counts where two threads share a core.
        for _ in 0..operands.count / 2 {
            groups.add::<FIRST>(row, ones, sums);
            groups.add::<FIRST>(row.wrapping_add(stride), ones, sums.add(VECTORS));
            row = row.wrapping_add(2 * stride);
            sums = sums.add(2 * VECTORS);
        }
        if operands.count % 2 == 1 {
            groups.add::<FIRST>(row, ones, sums);
        }
    }
}

#[derive(Clone, Copy)]
struct Constants {
    /// The middle of the range of values, in each byte.
    middle: __m256i,
    /// 1 in 16 bits each.
    ones: __m256i,
}

/// Weights of some groups, in registers.
struct Groups<const GROUPS: usize> {
    weights: [[__m256i; VECTORS]; GROUPS],
    /// What all rows begin with.
    shared: [__m256i; VECTORS],
}

impl<const GROUPS: usize> Groups<GROUPS> {
    /// # Safety
    /// There are weights of that many groups.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn load(weights: *const i8, middle: __m256i) -> Self {
        let mut all = [[_mm256_setzero_si256(); VECTORS]; GROUPS];
        let mut shared = [_mm256_setzero_si256(); VECTORS];
        let at = weights.cast::<__m256i>();
        for (group, weights) in all.iter_mut().enumerate() {
            for (vector, weights) in weights.iter_mut().enumerate() {
                // SAFETY: the caller provides weights.
                *weights = unsafe { _mm256_loadu_si256(at.add(group * VECTORS + vector)) };
                let products = _mm256_maddubs_epi16(middle, *weights);
                shared[vector] = _mm256_sub_epi16(shared[vector], products);
            }
        }
        Self {
            weights: all,
            shared,
        }
    }

    /// Adds the products of a row to its sums.
    ///
    /// # Safety
    /// The row has that many groups, and there are its sums.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add<const FIRST: bool>(&self, row: *const u8, ones: __m256i, sums: *mut __m256i) {
        let mut narrow = self.shared;
        // SAFETY: the caller provides all groups and sums.
        unsafe {
            for (group, weights) in self.weights.iter().enumerate() {
                let values = row.add(4 * group).cast::<i32>().read_unaligned();
                let values = _mm256_set1_epi32(values);
                for (narrow, weights) in narrow.iter_mut().zip(weights) {
                    *narrow = _mm256_add_epi16(*narrow, _mm256_maddubs_epi16(values, *weights));
                }
            }
            for (vector, narrow) in narrow.into_iter().enumerate() {
                let sums = sums.add(vector);
                let mut wide = _mm256_madd_epi16(narrow, ones);
                if !FIRST {
                    wide = _mm256_add_epi32(wide, _mm256_loadu_si256(sums));
                }
                _mm256_storeu_si256(sums, wide);
            }
        }
    }
}
