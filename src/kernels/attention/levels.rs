//! Queries, keys and values of a head in 8 bits, in the order in which products
//! read them.

use super::super::aligned::Aligned;
use super::super::exp::nearest;
use super::super::isa::{Isa, MOST_LANES, Vector};
use super::head::Head;
use super::load::Queries;
use super::scales::{by_groups, from_peaks, load_scales};

/// The largest level of keys and values, which lie around 0.
const LARGEST: f32 = 127.;

/// Rows of a head with a scale each, columns of values with a scale each.
/// Columns are rounded up to whole vectors and groups, with zeros.
#[derive(Default)]
pub(super) struct Levels {
    /// `[length, width]` of the instruction set's levels.
    queries: Aligned<u8>,
    /// Scales of queries, such that scores are logarithms to base 2.
    pub(super) query_scales: Aligned<f32>,
    /// `[panels, groups, COLUMNS, GROUP]`, a column of a panel for a key.
    pub(super) keys: Aligned<i8>,
    pub(super) key_scales: Aligned<f32>,
    /// 0, or minus infinity for keys that nobody sees.
    pub(super) key_bias: Aligned<f32>,
    /// A panel for each so many columns: `[groups, COLUMNS, GROUP]`, with a row
    /// for each token.
    pub(super) values: Aligned<i8>,
    pub(super) value_scales: Aligned<f32>,
    /// Columns of queries and keys.
    pub(super) width: usize,
    /// Rows of values, rounded up.
    pub(super) tokens: usize,
    /// Rows that had to be turned or filled up.
    space: Aligned<f32>,
    /// One over scales.
    factors: Aligned<f32>,
    /// Keys of a panel, row by row.
    levels: Aligned<i8>,
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
        sum += self.load_keys::<I>(head, &keys);
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
        let scales = [&mut self.query_scales, &mut self.factors];
        let largest = I::LARGEST - zero as f32;
        let odd = load_scales::<I::Vector>(rows, [length, width], largest, scales);
        for (at, factor) in self.factors[..length].iter().enumerate() {
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
        let to_base_2 = I::Vector::splat(head.attention.scale * std::f32::consts::LOG2_E);
        for scales in self.query_scales.chunks_exact_mut(I::Vector::LANES) {
            // SAFETY: a whole vector.
            unsafe {
                let scale = I::Vector::load(scales.as_ptr());
                scale.mul(to_base_2).store(scales.as_mut_ptr());
            }
        }
        odd
    }

    #[inline(always)]
    fn load_keys<I: Isa>(&mut self, head: &Head<'_>, rows: &Queries<'_>) -> f32 {
        let (seen, width) = (head.seen, self.width);
        let padded = seen.next_multiple_of(I::COLUMNS);
        self.keys.resize(padded * width, 0);
        let scales = [&mut self.key_scales, &mut self.factors];
        let odd = load_scales::<I::Vector>(rows, [seen, width], LARGEST, scales);
        self.key_scales.resize(padded, 0.);
        self.key_scales[seen..].fill(0.);
        self.key_bias.resize(padded, 0.);
        self.key_bias[..seen].fill(0.);
        self.key_bias[seen..].fill(f32::NEG_INFINITY);
        for (bias, &bit) in self.key_bias.iter_mut().zip(head.holes.unwrap_or_default()) {
            *bias = if bit == 0 { f32::NEG_INFINITY } else { *bias };
        }
        self.levels.resize(I::COLUMNS * width, 0);
        for first in (0..seen).step_by(I::COLUMNS) {
            let factors = &self.factors[first..(first + I::COLUMNS).min(seen)];
            let levels = self.levels.chunks_exact_mut(width);
            for (at, (levels, factor)) in levels.zip(factors).enumerate() {
                let row = &rows.rows[(first + at) * rows.stride..][..width];
                for column in (0..width).step_by(I::Vector::LANES) {
                    // As arrays, so that it takes no more than an instruction
                    // each.
                    let (mut values, mut made) = ([0f32; MOST_LANES], [0i8; MOST_LANES]);
                    // SAFETY: rows are whole vectors, for which there is room.
                    unsafe {
                        let value = I::Vector::load(row.as_ptr().add(column));
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
            let panel = &mut self.keys[first * width..][..I::COLUMNS * width];
            match I::GROUP {
                4 => by_groups::<u32>(&self.levels, panel, I::COLUMNS),
                2 => by_groups::<u16>(&self.levels, panel, I::COLUMNS),
                1 => by_groups::<u8>(&self.levels, panel, I::COLUMNS),
                group => unreachable!("groups of {group}"),
            }
        }
        odd
    }

    #[inline(always)]
    fn load_values<I: Isa>(&mut self, [seen, width]: [usize; 2], rows: &Queries<'_>) -> f32 {
        self.tokens = seen.next_multiple_of(I::COLUMNS);
        self.values.resize(width * self.tokens, 0);
        self.value_scales.resize(width, 0.);
        for column in (0..width).step_by(I::Vector::LANES) {
            let mut peak = I::Vector::splat(0.);
            for at in 0..seen {
                let row = &rows.rows[at * rows.stride..][..width];
                // SAFETY: rows are whole vectors.
                peak = unsafe { I::Vector::load(row.as_ptr().add(column)) }.magnitude(peak);
            }
            // SAFETY: there is a scale for each column.
            unsafe { peak.store(self.value_scales.as_mut_ptr().add(column)) };
        }
        let odd = from_peaks::<I::Vector>(&mut self.value_scales, LARGEST, &mut self.factors);
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
        odd
    }
}

/// Columns of the widest panel.
const MOST_COLUMNS: usize = 32;

/// Levels of queries lie around this one.
pub(super) fn zero_of_queries<I: Isa>() -> i32 {
    (I::LARGEST as i32 + 1) / 2
}
