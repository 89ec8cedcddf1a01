//! Sums that are looked up.

use std::arch::wasm32::*;

use super::super::token::MAX_LOOKUPS;

/// Rows of documents in a vector.
pub(super) const ROWS: usize = 16;

/// The numbers of a table at places below 16.
#[inline(always)]
fn look_up(table: v128, places: v128) -> v128 {
    #[cfg(target_feature = "relaxed-simd")]
    return i8x16_relaxed_swizzle(table, places);
    #[cfg(not(target_feature = "relaxed-simd"))]
    return i8x16_swizzle(table, places);
}

/// # Safety
/// That of [`Isa::look_up`](super::Isa::look_up); the vectors are `VECTORS`.
#[inline]
pub(super) unsafe fn largest<const VECTORS: usize>(
    places: *const u8,
    tables: *const u8,
    count: usize,
    most: *mut u16,
) {
    let (places, tables) = (places.cast::<v128>(), tables.cast::<v128>());
    let mut sums = [[i16x8_splat(0); 2]; VECTORS];
    // SAFETY: the caller provides all tables and places, and a vector of maxima.
    unsafe {
        for first in (0..count).step_by(MAX_LOOKUPS) {
            let mut narrow = [[i8x16_splat(0); 2]; VECTORS];
            for at in first..(first + MAX_LOOKUPS).min(count) {
                let table = [0, 1].map(|part| v128_load(tables.add(2 * at + part)));
                for (vector, narrow) in narrow.iter_mut().enumerate() {
                    let places = v128_load(places.add(at * VECTORS + vector));
                    for (sum, table) in narrow.iter_mut().zip(table) {
                        *sum = i8x16_add(*sum, look_up(table, places));
                    }
                }
            }
            for (sums, [low, high]) in sums.iter_mut().zip(narrow) {
                let high = [u16x8_extend_low_u8x16(high), u16x8_extend_high_u8x16(high)];
                let low = [u16x8_extend_low_u8x16(low), u16x8_extend_high_u8x16(low)];
                for (sum, (low, high)) in sums.iter_mut().zip(low.into_iter().zip(high)) {
                    *sum = i16x8_add(*sum, i16x8_add(low, i16x8_shl(high, 4)));
                }
            }
        }
        let all = sums.into_iter().flatten();
        let to = most.cast::<v128>();
        let largest = all.fold(v128_load(to), |most, sums| u16x8_max(most, sums));
        v128_store(to, largest);
    }
}
