//! Rows of bits.

use std::arch::wasm32::*;

use super::Quantized;

/// See [`Isa::spread`](super::Isa::spread).
#[inline(always)]
pub(super) fn spread(bits: [u8; 4], to: &mut [Quantized; 32]) {
    let four = u32x4_splat(u32::from_le_bytes(bits));
    // Each byte eight times, of which each keeps another bit.
    let each = u64x2_splat(u64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
    let one = i8x16_splat(1);
    let found = [
        i8x16_shuffle::<0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1>(four, four),
        i8x16_shuffle::<2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3>(four, four),
    ]
    .map(|bytes| u8x16_min(v128_and(bytes, each), one));
    let places = to.as_mut_ptr().cast::<v128>();
    // SAFETY: there are 32 values of one byte, or of two.
    unsafe {
        #[cfg(target_feature = "relaxed-simd")]
        for (at, found) in found.into_iter().enumerate() {
            v128_store(places.add(at), found);
        }
        #[cfg(not(target_feature = "relaxed-simd"))]
        for (at, found) in found.into_iter().enumerate() {
            v128_store(places.add(2 * at), u16x8_extend_low_u8x16(found));
            v128_store(places.add(2 * at + 1), u16x8_extend_high_u8x16(found));
        }
    }
}

#[cfg(target_feature = "relaxed-simd")]
pub(super) use relaxed::bits;

#[cfg(target_feature = "relaxed-simd")]
mod relaxed {
    use std::arch::wasm32::*;

    use super::super::place::Place;
    use super::super::tiles::{store, tile_rows};
    use super::super::{Strided, VECTORS};

    /// Groups whose products are summed in 16 bits: two weights of each in a lane.
    const GROUPS: usize = i16::MAX as usize / (2 * 127);

    /// Sums in 16 bits, which stay in registers.
    ///
    /// # Safety
    /// That of [`Isa::multiply_bits`](super::super::Isa::multiply_bits); the rows are
    /// `ROWS`.
    #[inline]
    pub(in super::super) unsafe fn bits<const ROWS: usize>(
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        let mut tile = [[i32x4_splat(0); VECTORS]; ROWS];
        // SAFETY: the caller provides all groups, rows and columns.
        unsafe {
            let mut at = Place::<_, ROWS>::new(rows, weights);
            for first in (0..groups).step_by(GROUPS) {
                let mut narrow = [[i16x8_splat(0); VECTORS]; ROWS];
                for _ in first..(first + GROUPS).min(groups) {
                    let columns = at.columns();
                    for (narrow, row) in narrow.iter_mut().zip(&at.rows) {
                        let values = v128_load32_splat(row.cast());
                        for (sum, weights) in narrow.iter_mut().zip(columns) {
                            let products = i16x8_relaxed_dot_i8x16_i7x16(weights, values);
                            *sum = i16x8_add(*sum, products);
                        }
                    }
                    at.advance(4, VECTORS);
                }
                for (tile, narrow) in tile.iter_mut().zip(narrow) {
                    for (sum, narrow) in tile.iter_mut().zip(narrow) {
                        *sum = i32x4_add(*sum, i32x4_extadd_pairwise_i16x8(narrow));
                    }
                }
            }
            store(tile, tile_rows(sums));
        }
    }
}
