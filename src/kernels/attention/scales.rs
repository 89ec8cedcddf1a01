//! Scales of rows and columns, and the order of groups.

use super::super::aligned::Aligned;
use super::super::isa::Vector;
use super::load::Queries;

/// Scales of rows of whole vectors, with so many levels on either side of 0, and
/// one over them, both rounded up to whole vectors; what is returned is not a
/// number if any value is not finite.
#[inline(always)]
pub(super) fn load_scales<V: Vector>(
    rows: &Queries<'_>,
    [count, width]: [usize; 2],
    largest: f32,
    [scales, factors]: [&mut Aligned<f32>; 2],
) -> f32 {
    scales.resize(count.next_multiple_of(V::LANES), 0.);
    for (at, scale) in scales[..count].iter_mut().enumerate() {
        let row = &rows.rows[at * rows.stride..][..width];
        let mut peak = V::splat(0.);
        for column in (0..width).step_by(V::LANES) {
            // SAFETY: rows are whole vectors.
            peak = unsafe { V::load(row.as_ptr().add(column)) }.magnitude(peak);
        }
        *scale = peak.largest_magnitude();
    }
    scales[count..].fill(0.);
    from_peaks::<V>(scales, largest, factors)
}

/// Makes scales of the largest numbers, so that these become the largest level,
/// and one over them. All are whole vectors. What is returned is not a number
/// if any is not finite.
#[inline(always)]
pub(super) fn from_peaks<V: Vector>(
    scales: &mut [f32],
    largest: f32,
    factors: &mut Aligned<f32>,
) -> f32 {
    factors.resize(scales.len(), 0.);
    let mut odd = V::splat(0.);
    let scales = scales.chunks_exact_mut(V::LANES);
    for (scales, factors) in scales.zip(factors.chunks_exact_mut(V::LANES)) {
        // SAFETY: whole vectors.
        unsafe {
            let scale = V::load(scales.as_ptr()).div(V::splat(largest));
            odd = scale.mul_add(V::splat(0.), odd);
            // Nothing but zeros: any scale will do.
            let scale = scale.max(V::splat(f32::MIN_POSITIVE));
            scale.store(scales.as_mut_ptr());
            V::splat(1.).div(scale).store(factors.as_mut_ptr());
        }
    }
    odd.sum()
}

/// Brings the levels of so many keys, row by row, into the order of a panel:
/// groups of them, each as long as a `Group`, by key.
#[inline(always)]
pub(super) fn by_groups<Group: Copy + Default>(levels: &[i8], panel: &mut [i8], keys: usize) {
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
