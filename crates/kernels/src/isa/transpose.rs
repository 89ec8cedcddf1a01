//! Signed levels of 8 bits in the order of panels, where an instruction set has
//! no way of its own.

use super::super::exp::nearest;
use super::{Isa, MOST_LANES, Vector};

/// Columns of the widest panel.
const MOST_COLUMNS: usize = 32;

/// # Safety
/// That of [`Isa::key_levels`].
#[inline(always)]
pub(super) unsafe fn keys<I: Isa + ?Sized>(
    (rows, stride): (*const f32, usize),
    factors: &[f32],
    width: usize,
    panel: &mut [i8],
    space: &mut [i8],
) {
    for (at, (levels, factor)) in space.chunks_exact_mut(width).zip(factors).enumerate() {
        for column in (0..width).step_by(I::Vector::LANES) {
            // As arrays, so that it takes no more than an instruction each.
            let (mut values, mut made) = ([0f32; MOST_LANES], [0i8; MOST_LANES]);
            // SAFETY: rows are whole vectors, for which there is room.
            unsafe {
                let value = I::Vector::load(rows.add(at * stride + column));
                let value = value.mul(I::Vector::splat(*factor));
                value.store(values.as_mut_ptr());
            }
            for lane in 0..I::Vector::LANES {
                made[lane] = nearest(values[lane]) as i8;
            }
            let levels = &mut levels[column..column + I::Vector::LANES];
            levels.copy_from_slice(&made[..I::Vector::LANES]);
        }
    }
    match I::GROUP {
        4 => by_groups::<u32>(space, panel, I::COLUMNS),
        2 => by_groups::<u16>(space, panel, I::COLUMNS),
        1 => by_groups::<u8>(space, panel, I::COLUMNS),
        group => unreachable!("groups of {group}"),
    }
}

/// # Safety
/// That of [`Isa::value_levels`].
#[inline(always)]
pub(super) unsafe fn values<I: Isa + ?Sized>(
    (rows, stride): (*const f32, usize),
    count: usize,
    factors: &[f32],
    panel: &mut [i8],
) {
    let groups = panel.chunks_exact_mut(I::COLUMNS * I::GROUP).enumerate();
    for (group, places) in groups.take(count.div_ceil(I::GROUP)) {
        // A level a byte, for as many tokens as a group has.
        let mut words = [0u32; MOST_COLUMNS];
        for at in 0..I::GROUP.min(count - group * I::GROUP) {
            // SAFETY: there is such a row.
            let row = unsafe {
                let at = rows.add((group * I::GROUP + at) * stride);
                std::slice::from_raw_parts(at, I::COLUMNS)
            };
            for ((word, value), factor) in words.iter_mut().zip(row).zip(factors) {
                *word |= (nearest(value * factor) as u32 & 0xff) << (8 * at);
            }
        }
        for (place, word) in places.chunks_exact_mut(I::GROUP).zip(words) {
            let levels = word.to_le_bytes().map(|level| level as i8);
            place.copy_from_slice(&levels[..I::GROUP]);
        }
    }
}

/// Brings the levels of so many keys, row by row, into the order of a panel:
/// groups of them, each as long as a `Group`, by key.
#[inline(always)]
fn by_groups<Group: Copy + Default>(levels: &[i8], panel: &mut [i8], keys: usize) {
    let groups = levels.len() / keys / size_of::<Group>();
    let size = keys * groups * size_of::<Group>();
    assert!(levels.len() == size && panel.len() == size, "whole groups");
    let from = levels.as_ptr().cast::<Group>();
    let to = panel.as_mut_ptr().cast::<Group>();
    let (whole_keys, whole_groups) = (keys - keys % 4, groups - groups % 4);
    // Blocks of four by four are a few instructions.
    for key in (0..whole_keys).step_by(4) {
        for group in (0..whole_groups).step_by(4) {
            let mut block = [[Group::default(); 4]; 4];
            for (at, row) in block.iter_mut().enumerate() {
                let at = (key + at) * groups + group;
                // SAFETY: four groups of that key.
                *row = unsafe { from.add(at).cast::<[Group; 4]>().read_unaligned() };
            }
            for at in 0..4 {
                let column = block.map(|row| row[at]);
                // SAFETY: room for four keys of that group.
                unsafe {
                    to.add((group + at) * keys + key)
                        .cast::<[Group; 4]>()
                        .write_unaligned(column)
                };
            }
        }
    }
    for key in 0..keys {
        let turned = if key < whole_keys { whole_groups } else { 0 };
        for group in turned..groups {
            // SAFETY: a group of a key.
            unsafe {
                let one = from.add(key * groups + group).read_unaligned();
                to.add(group * keys + key).write_unaligned(one);
            }
        }
    }
}
