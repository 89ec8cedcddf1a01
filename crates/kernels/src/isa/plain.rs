//! Plain Rust, for machines with none of the other instruction sets; the others
//! are tested against it.

use super::super::rounding::nearest;
use super::token::{Isa, Kernel, Levels, Strided};

const COLUMNS: usize = 8;

/// The token of plain Rust, which any machine runs.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Plain<const BLOCKS: usize>;

// SAFETY: no particular instructions are needed.
unsafe impl<const BLOCKS: usize> Isa for Plain<BLOCKS> {
    type Vector = f32;
    type Quantized = u8;
    type Weight = i8;
    const GROUP: usize = 1;
    const ROWS: usize = 4;
    const COLUMNS: usize = COLUMNS;
    const BLOCKS: usize = BLOCKS;
    const ONE: u8 = 1;
    const MAX_QUANTIZED: i32 = 255;
    const CENTRED: bool = false;

    fn detect() -> Option<Self> {
        Some(Self)
    }

    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> f32 {
        value
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> f32 {
        // SAFETY: the caller provides a float.
        unsafe { *at }
    }

    #[inline(always)]
    unsafe fn load_integers(self, at: *const i32) -> f32 {
        // SAFETY: the caller provides an integer.
        unsafe { *at as f32 }
    }

    #[inline(always)]
    unsafe fn load_integers_less(self, at: *const i32, zero: i32, others: *const i32) -> f32 {
        // SAFETY: the caller provides an integer at both.
        unsafe { (*at - zero * *others) as f32 }
    }

    #[inline(always)]
    unsafe fn quantize(self, values: f32, levels: Levels, at: *mut u8) {
        let quantized = nearest(values) + levels.zero;
        // SAFETY: the caller provides room for a byte.
        unsafe { *at = quantized.clamp(0, levels.largest) as u8 }
    }

    #[inline(always)]
    fn widen<'a>(self, panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[inline(always)]
    unsafe fn multiply_integers(
        self,
        count: usize,
        rows: Strided<*const u8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        for row in 0..count {
            let mut sum = [0i32; COLUMNS];
            for group in 0..groups {
                // SAFETY: the caller provides `count` rows of all groups.
                let quantized = unsafe { *rows.first.add(row * rows.stride + group) };
                for (column, sum) in sum.iter_mut().enumerate() {
                    // SAFETY: the caller provides weights of all groups.
                    let weight = unsafe { *weights.add(group * COLUMNS + column) };
                    *sum += i32::from(quantized) * i32::from(weight);
                }
            }
            // SAFETY: the caller provides room for `count` rows of a tile.
            unsafe { sums.add(row * COLUMNS).cast::<[i32; COLUMNS]>().write(sum) };
        }
    }

    #[inline(always)]
    unsafe fn multiply_floats(
        self,
        count: usize,
        rows: Strided<*const f32>,
        panel: *const f32,
        depth: usize,
        sums: Strided<*mut f32>,
    ) {
        for row in 0..count {
            let mut sum = [0f32; COLUMNS];
            for step in 0..depth {
                // SAFETY: the caller provides `count` rows of `depth` floats.
                let factor = unsafe { *rows.first.add(row * rows.stride + step) };
                for (column, sum) in sum.iter_mut().enumerate() {
                    // SAFETY: the caller provides a panel of that depth.
                    *sum += factor * unsafe { *panel.add(step * COLUMNS + column) };
                }
            }
            // SAFETY: the caller provides room for `count` rows of a tile.
            unsafe {
                let at = sums.first.add(row * sums.stride);
                at.cast::<[f32; COLUMNS]>().write(sum);
            }
        }
    }
}
