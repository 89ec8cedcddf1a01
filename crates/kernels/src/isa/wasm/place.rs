//! Addresses of a loop.

use std::arch::wasm32::{v128, v128_load};

use super::{Strided, VECTORS};

/// Where a loop is: in each row, and in the weights. Addresses that move with it leave
/// the least to compute, see `-disable-lsr` in `wasm/build.mjs`.
pub(super) struct Place<T, const ROWS: usize> {
    pub(super) rows: [*const T; ROWS],
    pub(super) weights: *const v128,
}

impl<T, const ROWS: usize> Place<T, ROWS> {
    /// # Safety
    /// There are that many rows.
    #[inline(always)]
    pub(super) unsafe fn new<W>(rows: Strided<*const T>, weights: *const W) -> Self {
        Self {
            // SAFETY: the caller provides them.
            rows: std::array::from_fn(|row| unsafe { rows.first.add(row * rows.stride) }),
            weights: weights.cast(),
        }
    }

    /// Moves on by `values` of each row, and vectors of weights.
    ///
    /// # Safety
    /// There are as many.
    #[inline(always)]
    pub(super) unsafe fn advance(&mut self, values: usize, vectors: usize) {
        // SAFETY: the caller provides them.
        unsafe {
            for row in &mut self.rows {
                *row = row.add(values);
            }
            self.weights = self.weights.add(vectors);
        }
    }

    /// Weights of all columns.
    ///
    /// # Safety
    /// There are as many.
    #[inline(always)]
    pub(super) unsafe fn columns(&self) -> [v128; VECTORS] {
        // SAFETY: the caller provides them.
        std::array::from_fn(|part| unsafe { v128_load(self.weights.add(part)) })
    }
}
