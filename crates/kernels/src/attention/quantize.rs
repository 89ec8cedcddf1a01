//! Queries, keys and values of a head in 8 bits, in the order in which products
//! read them.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, Levels, Strided, Vector};
use super::head::{Group, Head};
use super::rows::{Shape, StridedRows};
use super::scales::{ScaleBuffers, row_scales, scales_of_magnitudes};

/// A head in 8 bits. Each query and key has a scale, and each column of values.
/// Columns are padded to whole vectors and groups with zeros.
#[derive(Default)]
pub(super) struct QuantizedHead {
    /// `[length, width]` of [`Isa::Quantized`].
    queries: Aligned<u8>,
    /// Scales of queries, such that scores are base-2 logarithms.
    pub(super) query_scales: Aligned<f32>,
    /// `[panels, groups, COLUMNS, GROUP]`: each column of a panel is a key.
    pub(super) keys: Aligned<i8>,
    pub(super) key_scales: Aligned<f32>,
    /// 0, or minus infinity for masked keys.
    pub(super) key_bias: Aligned<f32>,
    /// `[panels, groups, COLUMNS, GROUP]`: each row of a panel is a token.
    pub(super) values: Aligned<i8>,
    pub(super) value_scales: Aligned<f32>,
    /// Which keys and values are quantized.
    group: Option<Group>,
    /// NaN if one of them is not finite.
    nan: f32,
    /// Columns of queries and keys, padded.
    pub(super) width: usize,
    /// Rows of values, padded.
    pub(super) tokens: usize,
    /// Rows that had to be normalized, rotated or padded.
    padded: Aligned<f32>,
    inverse_scales: Aligned<f32>,
    /// `[COLUMNS, width]`: the keys of one panel, before they are transposed.
    key_rows: Aligned<i8>,
}

/// Rows of whole vectors, and a factor for each row.
struct ScaledRows {
    first: *const f32,
    stride: usize,
    factors: *const f32,
    count: usize,
    /// Vectors of a row.
    vectors: usize,
}

impl QuantizedHead {
    /// Quantizes `head`. Returns whether all of its values are finite; if not, the
    /// result must not be used.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, isa: I, head: &Head<'_>) -> bool {
        let columns = head.attention.columns;
        self.width = columns.next_multiple_of(I::Vector::LANES.max(I::GROUP));
        let mut padded = std::mem::take(&mut self.padded);
        let shape = Shape {
            rows: head.batch.length,
            columns: self.width,
        };
        let queries = head.queries().padded(isa, shape, &mut padded);
        let queries_nan = self.load_queries(isa, head, &queries);
        let group = Some(head.group());
        if self.group != group {
            let shape = Shape {
                rows: head.key_count,
                columns: self.width,
            };
            let keys = head.keys().padded(isa, shape, &mut padded);
            self.nan = self.load_keys(isa, head, &keys);
            let shape = Shape {
                rows: head.key_count,
                columns: columns.next_multiple_of(I::COLUMNS),
            };
            let values = head.values().padded(isa, shape, &mut padded);
            self.nan += self.load_values(isa, shape, &values);
            self.group = group;
        }
        self.padded = padded;
        (queries_nan + self.nan).is_finite()
    }

    #[inline(always)]
    pub(super) fn queries<I: Isa>(&self) -> *const I::Quantized {
        self.queries.as_ptr().cast()
    }

    #[inline(always)]
    fn load_queries<I: Isa>(&mut self, isa: I, head: &Head<'_>, rows: &StridedRows<'_>) -> f32 {
        let (length, width) = (head.batch.length, self.width);
        let size = (length * width).next_multiple_of(4 * I::Vector::LANES);
        self.queries.resize(size * size_of::<I::Quantized>(), 0);
        let zero_point = query_zero_point::<I>();
        let to = ScaleBuffers {
            scales: &mut self.query_scales,
            inverses: &mut self.inverse_scales,
        };
        let largest = (I::ATTENTION.unsigned - zero_point) as f32;
        let shape = Shape {
            rows: length,
            columns: width,
        };
        let nan = row_scales(isa, rows, shape, largest, to);
        let quantized = self.queries.as_mut_ptr().cast::<I::Quantized>();
        let rows = |vectors| ScaledRows {
            first: rows.data.as_ptr(),
            stride: rows.stride,
            factors: self.inverse_scales.as_ptr(),
            count: length,
            vectors,
        };
        // SAFETY: `row_scales` asserted that `rows` has `length` rows of `width`
        // values, and made an inverse for each. `quantized` has room for whole fours
        // of vectors.
        unsafe {
            match (I::Vector::LANES, width / I::Vector::LANES) {
                // Unrolled for the most common width of heads.
                (16, 2) => quantize_queries(isa, rows(2), zero_point, quantized),
                (_, vectors) => quantize_queries(isa, rows(vectors), zero_point, quantized),
            }
        }
        let to_base_2 = isa.splat(head.attention.scale * std::f32::consts::LOG2_E);
        for scales in self.query_scales.chunks_exact_mut(I::Vector::LANES) {
            // SAFETY: the chunk has `LANES` values.
            unsafe {
                let scale = isa.load(scales.as_ptr());
                scale.mul(to_base_2).store(scales.as_mut_ptr());
            }
        }
        nan
    }

    #[inline(always)]
    fn load_keys<I: Isa>(&mut self, isa: I, head: &Head<'_>, rows: &StridedRows<'_>) -> f32 {
        let (count, width) = (head.key_count, self.width);
        let padded = count.next_multiple_of(I::COLUMNS);
        self.keys.resize(padded * width, 0);
        let to = ScaleBuffers {
            scales: &mut self.key_scales,
            inverses: &mut self.inverse_scales,
        };
        let shape = Shape {
            rows: count,
            columns: width,
        };
        let nan = row_scales(isa, rows, shape, I::ATTENTION.signed as f32, to);
        self.key_scales.resize(padded, 0.);
        self.key_scales[count..].fill(0.);
        self.key_bias.resize(padded, 0.);
        self.key_bias[..count].fill(0.);
        self.key_bias[count..].fill(f32::NEG_INFINITY);
        for (bias, &bit) in self.key_bias.iter_mut().zip(head.mask.unwrap_or_default()) {
            *bias = if bit == 0 { f32::NEG_INFINITY } else { *bias };
        }
        self.key_rows.resize(I::COLUMNS * width, 0);
        let panels = self.keys.chunks_exact_mut(I::COLUMNS * width);
        let inverses = self.inverse_scales[..count].chunks(I::COLUMNS);
        let mut from = rows.data.as_ptr();
        for (panel, inverses) in panels.zip(inverses) {
            // SAFETY: `row_scales` asserted that `rows` has `count` rows of `width`
            // values; `inverses` ends with the last of them.
            unsafe {
                let rows = Strided {
                    first: from,
                    stride: rows.stride,
                };
                isa.quantize_keys(rows, inverses, panel, &mut self.key_rows);
            }
            from = from.wrapping_add(I::COLUMNS * rows.stride);
        }
        nan
    }

    #[inline(always)]
    fn load_values<I: Isa>(&mut self, isa: I, shape: Shape, rows: &StridedRows<'_>) -> f32 {
        let (count, width) = (shape.rows, shape.columns);
        self.tokens = count.next_multiple_of(I::COLUMNS);
        self.values.resize(width * self.tokens, 0);
        self.value_scales.resize(width, 0.);
        assert!(count == 0 || rows.data.len() >= (count - 1) * rows.stride + width);
        for column in (0..width).step_by(2 * I::Vector::LANES) {
            let mut magnitudes = [isa.splat(0.); 2];
            let mut row = rows.data.as_ptr().wrapping_add(column);
            for _ in 0..count {
                for (part, magnitude) in magnitudes.iter_mut().enumerate() {
                    // SAFETY: the assertion above leaves `count` rows of `width`
                    // values, which are pairs of vectors.
                    let values = unsafe { isa.load(row.add(part * I::Vector::LANES)) };
                    *magnitude = values.max_magnitude(*magnitude);
                }
                row = row.wrapping_add(rows.stride);
            }
            let scales = &mut self.value_scales[column..column + 2 * I::Vector::LANES];
            for (scales, magnitude) in scales.chunks_exact_mut(I::Vector::LANES).zip(magnitudes) {
                // SAFETY: the chunk has `LANES` values.
                unsafe { magnitude.store(scales.as_mut_ptr()) };
            }
        }
        let inverses = &mut self.inverse_scales;
        let largest = I::ATTENTION.signed as f32;
        let nan = scales_of_magnitudes(isa, &mut self.value_scales, largest, inverses);
        for first in (0..width).step_by(I::COLUMNS) {
            let inverses = &self.inverse_scales[first..first + I::COLUMNS];
            let panel = &mut self.values[first * self.tokens..][..self.tokens * I::COLUMNS];
            let from = Strided {
                first: rows.data.as_ptr().wrapping_add(first),
                stride: rows.stride,
            };
            // SAFETY: the assertion above leaves `count` rows of `width` values, which
            // are whole panels.
            unsafe { isa.quantize_values(from, count, inverses, panel) };
        }
        nan
    }
}

/// Quantizes rows around `zero_point`, after multiplying them by their factors.
/// Rows are short, so it takes four vectors at a time across their ends.
///
/// # Safety
/// All rows and factors can be read, and there is room for their values, rounded
/// up to four vectors.
#[inline(always)]
unsafe fn quantize_queries<I: Isa>(
    isa: I,
    rows: ScaledRows,
    zero_point: i32,
    quantized: *mut I::Quantized,
) {
    let levels = Levels {
        zero: zero_point,
        largest: I::ATTENTION.unsigned,
    };
    let (mut row, mut factor) = (rows.first, rows.factors);
    let (mut left, mut vector) = (rows.count, 0);
    for four in 0..(rows.count * rows.vectors).div_ceil(4) {
        let mut values = [isa.splat(0.); 4];
        // SAFETY: `row` and `factor` stay at one of the caller's rows, `vector` is
        // below `vectors`, and the caller has room for every four.
        unsafe {
            for value in values.iter_mut() {
                let at = row.add(vector * I::Vector::LANES);
                *value = isa.load(at).mul(isa.splat(*factor));
                vector += 1;
                if vector == rows.vectors {
                    // After the last row, repeats it.
                    let next = usize::from(left > 1);
                    (row, factor) = (row.add(next * rows.stride), factor.add(next));
                    (left, vector) = (left - next, 0);
                }
            }
            isa.quantize_four(values, levels, quantized.add(4 * four * I::Vector::LANES));
        }
    }
}

/// The zero point of all queries, in the middle of the range.
fn query_zero_point<I: Isa>() -> i32 {
    (I::ATTENTION.unsigned + 1) / 2
}

/// What is left of the zero point in products of queries and keys.
pub(super) fn query_offset<I: Isa>() -> i32 {
    if I::CENTRED {
        return 0;
    }
    query_zero_point::<I>() - I::OFFSET - I::ATTENTION.subtracted
}
