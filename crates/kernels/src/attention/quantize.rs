//! Queries, keys and values of a head in 8 bits, in the order in which products
//! read them.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, Vector};
use super::head::Head;
use super::load::Queries;
use super::scales::{from_peaks, load_scales};

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
        let size = (length * width).next_multiple_of(4 * I::Vector::LANES);
        self.queries.resize(size * size_of::<I::Level>(), 0);
        let zero = zero_of_queries::<I>();
        let scales = [&mut self.query_scales, &mut self.factors];
        let largest = I::LARGEST - zero as f32;
        let odd = load_scales::<I::Vector>(rows, [length, width], largest, scales);
        let levels = self.queries.as_mut_ptr().cast::<I::Level>();
        let from = (rows.rows.as_ptr(), rows.stride, self.factors.as_ptr());
        // SAFETY: rows are whole vectors, of which `load_scales` saw all, and there
        // is room for whole fours of them.
        unsafe {
            match (I::Vector::LANES, width / I::Vector::LANES) {
                // As most heads have them, without a loop.
                (16, 2) => query_levels::<I>(from, [length, 2], zero, levels),
                (_, vectors) => query_levels::<I>(from, [length, vectors], zero, levels),
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
            let panel = &mut self.keys[first * width..][..I::COLUMNS * width];
            let from = rows.rows.as_ptr().wrapping_add(first * rows.stride);
            // SAFETY: rows are whole vectors, of which `load_scales` saw all.
            unsafe {
                let from = (from, rows.stride);
                I::key_levels(from, factors, width, panel, &mut self.levels);
            }
        }
        odd
    }

    #[inline(always)]
    fn load_values<I: Isa>(&mut self, [seen, width]: [usize; 2], rows: &Queries<'_>) -> f32 {
        self.tokens = seen.next_multiple_of(I::COLUMNS);
        self.values.resize(width * self.tokens, 0);
        self.value_scales.resize(width, 0.);
        assert!(seen == 0 || rows.rows.len() >= (seen - 1) * rows.stride + width);
        for column in (0..width).step_by(2 * I::Vector::LANES) {
            let mut peaks = [I::Vector::splat(0.); 2];
            let mut row = rows.rows.as_ptr().wrapping_add(column);
            for _ in 0..seen {
                for (part, peak) in peaks.iter_mut().enumerate() {
                    // SAFETY: rows are pairs of vectors.
                    let values = unsafe { I::Vector::load(row.add(part * I::Vector::LANES)) };
                    *peak = values.magnitude(*peak);
                }
                row = row.wrapping_add(rows.stride);
            }
            let scales = &mut self.value_scales[column..column + 2 * I::Vector::LANES];
            for (scales, peak) in scales.chunks_exact_mut(I::Vector::LANES).zip(peaks) {
                // SAFETY: a whole vector.
                unsafe { peak.store(scales.as_mut_ptr()) };
            }
        }
        let odd = from_peaks::<I::Vector>(&mut self.value_scales, LARGEST, &mut self.factors);
        for first in (0..width).step_by(I::COLUMNS) {
            let factors = &self.factors[first..first + I::COLUMNS];
            let panel = &mut self.values[first * self.tokens..][..self.tokens * I::COLUMNS];
            let from = rows.rows.as_ptr().wrapping_add(first);
            // SAFETY: there are all rows, see above.
            unsafe { I::value_levels((from, rows.stride), seen, factors, panel) };
        }
        odd
    }
}

/// Levels of rows of so many vectors, times their factors; four vectors at a time,
/// over the ends of rows: those are short.
///
/// # Safety
/// There are as many rows, so far from each other, and a factor for each, and room
/// for whole fours of vectors.
#[inline(always)]
unsafe fn query_levels<I: Isa>(
    (mut row, stride, mut factor): (*const f32, usize, *const f32),
    [count, vectors]: [usize; 2],
    zero: i32,
    levels: *mut I::Level,
) {
    let (mut left, mut vector) = (count, 0);
    for four in 0..(count * vectors).div_ceil(4) {
        let mut values = [I::Vector::splat(0.); 4];
        // SAFETY: the caller's.
        unsafe {
            for value in values.iter_mut() {
                let at = row.add(vector * I::Vector::LANES);
                *value = I::Vector::load(at).mul(I::Vector::splat(*factor));
                vector += 1;
                if vector == vectors {
                    // Behind the last row it again, for want of another.
                    let next = usize::from(left > 1);
                    (row, factor) = (row.add(next * stride), factor.add(next));
                    (left, vector) = (left - next, 0);
                }
            }
            I::four_levels(values, zero, levels.add(4 * four * I::Vector::LANES));
        }
    }
}

/// Levels of queries lie around this one.
pub(super) fn zero_of_queries<I: Isa>() -> i32 {
    (I::LARGEST as i32 + 1) / 2
}
