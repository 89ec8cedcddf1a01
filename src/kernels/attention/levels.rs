//! Queries, keys and values of a head in 8 bits, in the order in which products
//! read them.

use super::super::exp::nearest;
use super::super::isa::{Isa, Vector};
use super::head::Head;
use super::load::Queries;
use super::{Rotation, Rows};

/// The largest level of keys and values, which lie around 0.
const LARGEST: f32 = 127.;

/// Rows of a head with a scale each, columns of values with a scale each.
/// Columns are rounded up to whole vectors and groups, with zeros.
#[derive(Default)]
pub(super) struct Levels {
    /// `[length, width]` of the instruction set's levels.
    queries: Vec<u8>,
    /// Scales of queries, such that scores are logarithms to base 2.
    pub(super) query_scales: Vec<f32>,
    /// `[panels, groups, COLUMNS, GROUP]`, a column of a panel for a key.
    pub(super) keys: Vec<i8>,
    pub(super) key_scales: Vec<f32>,
    /// What the zero point of queries adds to products with each key; zeros
    /// where there is none.
    pub(super) key_zeros: Vec<i32>,
    /// A panel for each so many columns: `[groups, COLUMNS, GROUP]`, with a row
    /// for each token.
    pub(super) values: Vec<i8>,
    pub(super) value_scales: Vec<f32>,
    /// Columns of queries and keys.
    pub(super) width: usize,
    /// Rows of values, rounded up.
    pub(super) tokens: usize,
    /// Rows that had to be turned or filled up.
    space: Vec<f32>,
    /// One over scales.
    factors: Vec<f32>,
    /// Keys of a panel, row by row.
    levels: Vec<i8>,
}

impl Levels {
    /// Takes over what `head` needs. Says whether all of it is finite; if not,
    /// nothing is to be had.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, head: &Head<'_>) -> bool {
        let columns = head.attention.columns;
        self.width = columns.next_multiple_of(I::Vector::LANES.max(I::GROUP));
        let mut space = std::mem::take(&mut self.space);
        let rotation = head.batch.rotation.as_ref();
        let size = [head.batch.length, self.width];
        let queries = head.whole_rows(&head.batch.queries, size, rotation, &mut space);
        let mut sum = self.load_queries::<I>(head, &queries);
        let size = [head.seen, self.width];
        let keys = head.whole_rows(&head.batch.keys, size, rotation, &mut space);
        sum += self.load_keys::<I>(head.seen, &keys);
        let size = [head.seen, columns.next_multiple_of(I::COLUMNS)];
        let values = head.whole_rows(&head.batch.values, size, None, &mut space);
        sum += self.load_values::<I>(size, &values);
        self.space = space;
        sum.is_finite()
    }

    #[inline(always)]
    pub(super) fn queries<I: Isa>(&self) -> *const I::Level {
        self.queries.as_ptr().cast()
    }

    #[inline(always)]
    fn load_queries<I: Isa>(&mut self, head: &Head<'_>, rows: &Queries<'_>) -> f32 {
        let (length, width) = (head.batch.length, self.width);
        let size = length * width * size_of::<I::Level>();
        self.queries.resize(size, 0);
        let zero = zero_of_queries::<I>();
        let largest = I::LARGEST - zero as f32;
        let scales = &mut self.query_scales;
        let odd = load_scales::<I::Vector>(rows, [length, width], largest, scales);
        self.factors.clear();
        self.factors.extend(scales.iter().map(|scale| 1. / scale));
        for (at, factor) in self.factors.iter().enumerate() {
            let row = &rows.rows[at * rows.stride..][..width];
            let factor = I::Vector::splat(*factor);
            for column in (0..width).step_by(I::Vector::LANES) {
                // SAFETY: rows are whole vectors, and there is a level for each.
                unsafe {
                    let value = I::Vector::load(row.as_ptr().add(column));
                    let levels = self.queries.as_mut_ptr().cast::<I::Level>();
                    I::levels(value.mul(factor), zero, levels.add(at * width + column));
                }
            }
        }
        let to_base_2 = head.attention.scale * std::f32::consts::LOG2_E;
        scales.iter_mut().for_each(|scale| *scale *= to_base_2);
        odd
    }

    #[inline(always)]
    fn load_keys<I: Isa>(&mut self, seen: usize, rows: &Queries<'_>) -> f32 {
        let width = self.width;
        let padded = seen.next_multiple_of(I::COLUMNS);
        self.keys.resize(padded * width, 0);
        self.key_zeros.resize(padded, 0);
        let scales = &mut self.key_scales;
        let odd = load_scales::<I::Vector>(rows, [seen, width], LARGEST, scales);
        self.factors.clear();
        self.factors.extend(scales.iter().map(|scale| 1. / scale));
        scales.resize(padded, 0.);
        // What is held less its zero point has none to be taken off.
        let zero = match I::CENTRED {
            true => 0,
            false => zero_of_queries::<I>() - I::OFFSET,
        };
        self.levels.resize(I::COLUMNS * width, 0);
        for first in (0..seen).step_by(I::COLUMNS) {
            let factors = &self.factors[first..(first + I::COLUMNS).min(seen)];
            let levels = self.levels.chunks_exact_mut(width);
            for (at, (levels, factor)) in levels.zip(factors).enumerate() {
                let row = &rows.rows[(first + at) * rows.stride..][..width];
                let mut sum = 0;
                for (level, value) in levels.iter_mut().zip(row) {
                    let nearest = nearest(value * factor);
                    sum += nearest;
                    *level = nearest as i8;
                }
                self.key_zeros[first + at] = sum * zero;
            }
            let panel = &mut self.keys[first * width..][..I::COLUMNS * width];
            assert!(width.is_multiple_of(I::GROUP), "whole groups");
            for group in 0..width / I::GROUP {
                for key in 0..I::COLUMNS {
                    let from = key * width + group * I::GROUP;
                    let to = (group * I::COLUMNS + key) * I::GROUP;
                    // SAFETY: as many keys and groups as a panel has.
                    unsafe {
                        let from = self.levels.as_ptr().add(from);
                        let to = panel.as_mut_ptr().add(to);
                        from.copy_to_nonoverlapping(to, I::GROUP);
                    }
                }
            }
        }
        odd
    }

    #[inline(always)]
    fn load_values<I: Isa>(&mut self, [seen, width]: [usize; 2], rows: &Queries<'_>) -> f32 {
        self.tokens = seen.next_multiple_of(I::COLUMNS);
        self.values.resize(width * self.tokens, 0);
        self.value_scales.resize(width, 0.);
        let mut odd = I::Vector::splat(0.);
        for column in (0..width).step_by(I::Vector::LANES) {
            let (mut peak, mut odd_here) = (I::Vector::splat(0.), I::Vector::splat(0.));
            for at in 0..seen {
                let row = &rows.rows[at * rows.stride..][..width];
                // SAFETY: rows are whole vectors.
                let value = unsafe { I::Vector::load(row.as_ptr().add(column)) };
                peak = value.max(I::Vector::splat(0.).sub(value)).max(peak);
                odd_here = value.mul_add(I::Vector::splat(0.), odd_here);
            }
            odd = odd.add(odd_here);
            // SAFETY: there is a scale for each column.
            unsafe { peak.store(self.value_scales.as_mut_ptr().add(column)) };
        }
        for peak in &mut self.value_scales {
            *peak = scale(*peak, LARGEST);
        }
        self.factors.clear();
        self.factors
            .extend(self.value_scales.iter().map(|scale| 1. / scale));
        for first in (0..width).step_by(I::COLUMNS) {
            let factors = &self.factors[first..first + I::COLUMNS];
            let panel = &mut self.values[first * self.tokens..][..self.tokens * I::COLUMNS];
            let groups = panel.chunks_exact_mut(I::COLUMNS * I::GROUP).enumerate();
            for (group, places) in groups {
                // A level a byte, for as many tokens as a group has.
                let mut words = [0u32; MOST_COLUMNS];
                for at in 0..I::GROUP.min(seen.saturating_sub(group * I::GROUP)) {
                    let token = group * I::GROUP + at;
                    let row = &rows.rows[token * rows.stride + first..][..I::COLUMNS];
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
        odd.sum()
    }
}

impl<'a> Head<'a> {
    /// So many rows, turned where there is a rotation, of so many columns, which
    /// are whole vectors; in `space` where they are not so already.
    #[inline(always)]
    fn whole_rows<'s>(
        &self,
        rows: &Rows<'a>,
        [count, width]: [usize; 2],
        rotation: Option<&Rotation<'_>>,
        space: &'s mut Vec<f32>,
    ) -> Queries<'s>
    where
        'a: 's,
    {
        let columns = self.attention.columns;
        if rotation.is_none() && columns == width {
            let first = self.text * self.batch.length * rows.stride + rows.offset;
            return Queries {
                rows: &rows.data[first + self.head * columns..],
                stride: rows.stride,
            };
        }
        space.clear();
        space.resize(count * width, 0.);
        for (at, whole) in space.chunks_exact_mut(width).enumerate() {
            let whole = &mut whole[..columns];
            whole.copy_from_slice(self.row(rows, at));
            if let Some(rotation) = rotation {
                rotation.turn(whole, at);
            }
        }
        Queries {
            rows: space,
            stride: width,
        }
    }
}

/// Scales of rows of whole vectors, with so many levels on either side of 0;
/// what is returned is not a number if any of theirs is not finite.
#[inline(always)]
fn load_scales<V: Vector>(
    rows: &Queries<'_>,
    [count, width]: [usize; 2],
    largest: f32,
    scales: &mut Vec<f32>,
) -> f32 {
    let mut odd = V::splat(0.);
    scales.resize(count, 0.);
    for (at, scale) in scales.iter_mut().enumerate() {
        let row = &rows.rows[at * rows.stride..][..width];
        let mut peak = V::splat(0.);
        for column in (0..width).step_by(V::LANES) {
            // SAFETY: rows are whole vectors.
            let value = unsafe { V::load(row.as_ptr().add(column)) };
            peak = value.max(V::splat(0.).sub(value)).max(peak);
            odd = value.mul_add(V::splat(0.), odd);
        }
        *scale = peak.largest();
    }
    for peak in scales {
        *peak = scale(*peak, largest);
    }
    odd.sum()
}

/// Columns of the widest panel.
const MOST_COLUMNS: usize = 32;

/// Levels of queries lie around this one.
fn zero_of_queries<I: Isa>() -> i32 {
    (I::LARGEST as i32 + 1) / 2
}

/// The scale with which the largest number becomes the largest level.
fn scale(peak: f32, largest: f32) -> f32 {
    match peak / largest {
        // Nothing but zeros: any scale will do.
        tiny if tiny < f32::MIN_POSITIVE => 1.,
        scale => scale,
    }
}
