//! Quantization of keys and values to signed 8 bits, in the order of panels, for
//! instruction sets without a faster way.

use super::super::super::rounding::nearest;
use super::super::{MAX_LANES, Vector};
use super::{Isa, Strided};

/// Columns of the widest panel.
const MAX_COLUMNS: usize = 32;

/// # Safety
/// That of [`Isa::quantize_keys`].
#[inline(always)]
pub(super) unsafe fn keys<I: Isa>(
    isa: I,
    rows: Strided<*const f32>,
    factors: &[f32],
    panel: &mut [i8],
    scratch: &mut [i8],
) {
    let width = scratch.len() / I::COLUMNS;
    for (at, (row, factor)) in scratch.chunks_exact_mut(width).zip(factors).enumerate() {
        for column in (0..width).step_by(I::Vector::LANES) {
            // Arrays of a fixed size, so that compilers use vectors.
            let (mut values, mut quantized) = ([0f32; MAX_LANES], [0i8; MAX_LANES]);
            // SAFETY: the caller provides rows of whole vectors; the array has
            // room for the widest vector.
            unsafe {
                let value = isa.load(rows.first.add(at * rows.stride + column));
                let value = value.mul(isa.splat(*factor));
                value.store(values.as_mut_ptr());
            }
            for lane in 0..I::Vector::LANES {
                quantized[lane] = nearest(values[lane]) as i8;
            }
            let row = &mut row[column..column + I::Vector::LANES];
            row.copy_from_slice(&quantized[..I::Vector::LANES]);
        }
    }
    match I::GROUP {
        4 => by_groups::<u32>(scratch, panel, I::COLUMNS),
        2 => by_groups::<u16>(scratch, panel, I::COLUMNS),
        1 => by_groups::<u8>(scratch, panel, I::COLUMNS),
        group => unreachable!("groups of {group}"),
    }
}

/// # Safety
/// That of [`Isa::quantize_values`].
#[inline(always)]
pub(super) unsafe fn values<I: Isa>(
    _: I,
    rows: Strided<*const f32>,
    count: usize,
    factors: &[f32],
    panel: &mut [i8],
) {
    let groups = panel.chunks_exact_mut(I::COLUMNS * I::GROUP).enumerate();
    for (group, places) in groups.take(count.div_ceil(I::GROUP)) {
        // A byte of each word for each row of the group.
        let mut words = [0u32; MAX_COLUMNS];
        for at in 0..I::GROUP.min(count - group * I::GROUP) {
            let row = group * I::GROUP + at;
            // SAFETY: the caller provides `count` rows of `COLUMNS` values, and
            // `row` is less than `count`.
            let row = unsafe {
                let first = rows.first.add(row * rows.stride);
                std::slice::from_raw_parts(first, I::COLUMNS)
            };
            for ((word, value), factor) in words.iter_mut().zip(row).zip(factors) {
                *word |= (nearest(value * factor) as u32 & 0xff) << (8 * at);
            }
        }
        for (place, word) in places.chunks_exact_mut(I::GROUP).zip(words) {
            let quantized = word.to_le_bytes().map(|byte| byte as i8);
            place.copy_from_slice(&quantized[..I::GROUP]);
        }
    }
}

/// Transposes the quantized values of `keys` keys, row by row, into a panel:
/// groups of values, each as long as `Group`, by key.
#[inline(always)]
fn by_groups<Group: Copy + Default>(rows: &[i8], panel: &mut [i8], keys: usize) {
    let groups = rows.len() / keys / size_of::<Group>();
    let size = keys * groups * size_of::<Group>();
    assert!(rows.len() == size && panel.len() == size, "whole groups");
    let from = rows.as_ptr().cast::<Group>();
    let to = panel.as_mut_ptr().cast::<Group>();
    let (whole_keys, whole_groups) = (keys - keys % 4, groups - groups % 4);
    // Blocks of four by four are a few instructions.
    for key in (0..whole_keys).step_by(4) {
        for group in (0..whole_groups).step_by(4) {
            let mut block = [[Group::default(); 4]; 4];
            for (at, row) in block.iter_mut().enumerate() {
                let at = (key + at) * groups + group;
                // SAFETY: `rows` holds `keys * groups` groups, and the block ends
                // before the last key and group.
                *row = unsafe { from.add(at).cast::<[Group; 4]>().read_unaligned() };
            }
            for at in 0..4 {
                let column = block.map(|row| row[at]);
                // SAFETY: `panel` is as long as `rows`.
                unsafe {
                    let place = to.add((group + at) * keys + key);
                    place.cast::<[Group; 4]>().write_unaligned(column);
                };
            }
        }
    }
    for key in 0..keys {
        let transposed = if key < whole_keys { whole_groups } else { 0 };
        for group in transposed..groups {
            // SAFETY: `key < keys` and `group < groups`, in slices of
            // `keys * groups` groups.
            unsafe {
                let one = from.add(key * groups + group).read_unaligned();
                to.add(group * keys + key).write_unaligned(one);
            }
        }
    }
}
