//! No instructions in particular: what the others are compared with.

use super::super::exp::nearest;
use super::Isa;

const COLUMNS: usize = 8;

pub(super) struct Plain<const BLOCKS: usize>;

impl<const BLOCKS: usize> Isa for Plain<BLOCKS> {
    type Vector = f32;
    type Level = u8;
    type Weight = i8;
    const GROUP: usize = 1;
    const ROWS: usize = 4;
    const COLUMNS: usize = COLUMNS;
    const BLOCKS: usize = BLOCKS;
    const ONE: Self::Level = 1;
    const LARGEST: f32 = 255.;
    const CENTRED: bool = false;

    #[inline(always)]
    unsafe fn levels(values: f32, zero: i32, at: *mut u8) {
        let level = nearest(values) + zero;
        // SAFETY: the caller's.
        unsafe { *at = level.clamp(0, Self::LARGEST as i32) as u8 }
    }

    #[inline(always)]
    fn weights<'a>(panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[inline(always)]
    unsafe fn integers(
        rows: usize,
        levels: *const u8,
        stride: usize,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        for row in 0..rows {
            let mut sum = [0i32; COLUMNS];
            for group in 0..groups {
                // SAFETY: the caller's slices hold all groups and rows.
                let level = i32::from(unsafe { *levels.add(row * stride + group) });
                for (column, sum) in sum.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let weight = unsafe { *weights.add(group * Self::COLUMNS + column) };
                    *sum += level * i32::from(weight);
                }
            }
            // SAFETY: the caller's tile holds all rows.
            unsafe {
                sums.add(row * Self::COLUMNS)
                    .cast::<[i32; COLUMNS]>()
                    .write(sum)
            };
        }
    }

    #[inline(always)]
    unsafe fn floats(
        rows: usize,
        left: *const f32,
        stride: usize,
        panel: *const f32,
        depth: usize,
        sums: *mut f32,
        sums_stride: usize,
    ) {
        for row in 0..rows {
            let mut sum = [0f32; COLUMNS];
            for step in 0..depth {
                // SAFETY: the caller's slices hold all of the depth and rows.
                let factor = unsafe { *left.add(row * stride + step) };
                for (column, sum) in sum.iter_mut().enumerate() {
                    // SAFETY: as above.
                    *sum += factor * unsafe { *panel.add(step * Self::COLUMNS + column) };
                }
            }
            // SAFETY: the caller's rows of sums have these columns.
            unsafe {
                sums.add(row * sums_stride)
                    .cast::<[f32; COLUMNS]>()
                    .write(sum)
            };
        }
    }
}
