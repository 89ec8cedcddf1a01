//! Products of 8 bits without AVX-VNNI, for weights of any size.

use std::arch::x86_64::*;

use super::narrow::Operands;
use super::tiles::{COLUMNS, VECTORS};

/// Groups whose weights are in registers.
const AT_ONCE: usize = 2;

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
        if groups >= AT_ONCE {
            exact_groups::<AT_ONCE, true>(operands);
            next = AT_ONCE;
            while next + AT_ONCE <= groups {
                exact_groups::<AT_ONCE, false>(operands.at_group(next));
                next += AT_ONCE;
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
