//! Rows of floats in 8 bits: `x = (level - zero) * scale`.

use super::super::isa::Isa;

/// What the levels of a row stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct RowScale {
    pub(super) scale: f32,
    pub(super) zero: i32,
    /// Sum of the levels less the zero point.
    pub(super) sum: i32,
}

/// The least and the largest value, with 0 among them; not a number if any is
/// not finite.
pub(super) fn range(values: &[f32]) -> (f32, f32) {
    range_of(values)
}

#[inline(always)]
fn range_of(values: &[f32]) -> (f32, f32) {
    let (mut low, mut high, mut odd) = ([0f32; 16], [0f32; 16], [0f32; 16]);
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for at in 0..16 {
            let value = chunk[at];
            low[at] = if value < low[at] { value } else { low[at] };
            high[at] = if value > high[at] { value } else { high[at] };
            // Not a number, once any value is not finite.
            odd[at] += value * 0.;
        }
    }
    for (at, &value) in rest.iter().enumerate() {
        low[at] = if value < low[at] { value } else { low[at] };
        high[at] = if value > high[at] { value } else { high[at] };
        odd[at] += value * 0.;
    }
    let odd: f32 = odd.iter().sum();
    let low = low.iter().copied().fold(0., f32::min);
    let high = high.iter().copied().fold(0., f32::max);
    (low + odd, high + odd)
}

/// Quantizes rows of `columns`, each by its own range or all by the one that
/// is given, as ONNX's `DynamicQuantizeLinear` does a tensor. Rows of levels
/// are `stride` long and end in zeros.
#[inline(always)]
pub(in super::super) fn quantize_rows<I: Isa>(
    rows: &[f32],
    columns: usize,
    range: Option<(f32, f32)>,
    stride: usize,
    levels: &mut [u8],
    scales: &mut [RowScale],
) {
    let size = stride * size_of::<I::Level>();
    assert_eq!(levels.len(), scales.len() * size, "levels for each row");
    let rows = rows
        .chunks_exact(columns)
        .zip(levels.chunks_exact_mut(size));
    for ((row, levels), scale) in rows.zip(scales) {
        let (low, high) = match range {
            Some(range) => range,
            None => range_of(row),
        };
        *scale = quantize_row::<I>(row, low, high, levels);
    }
}

#[inline(always)]
fn quantize_row<I: Isa>(row: &[f32], low: f32, high: f32, levels: &mut [u8]) -> RowScale {
    let scale = match (high - low) / I::LARGEST {
        // Nothing but zeros: any scale will do.
        0. => 1.,
        scale => scale,
    };
    if !scale.is_finite() {
        levels.fill(0);
        return RowScale {
            scale: f32::NAN,
            zero: 0,
            sum: 0,
        };
    }
    let largest = I::LARGEST as i32;
    let zero = (round(-low / scale)).clamp(0, largest);
    let size = size_of::<I::Level>();
    let (made, beyond) = levels.split_at_mut(row.len() * size);
    let made = made.as_mut_ptr().cast::<I::Level>();
    let mut sum = 0;
    for (at, &value) in row.iter().enumerate() {
        let level = (round(value / scale) + zero).clamp(0, largest);
        sum += level - zero;
        // SAFETY: there is room for a level a value.
        unsafe { made.add(at).write_unaligned(I::level(level, zero)) };
    }
    // What is beyond the row meets weights that are zero.
    beyond.fill(0);
    RowScale { scale, zero, sum }
}

/// To the nearest whole number, ties to even, for numbers up to 2^22.
#[inline(always)]
fn round(value: f32) -> i32 {
    let bits = (value + super::super::exp::ROUND).to_bits();
    bits.wrapping_sub(super::super::exp::ROUND.to_bits()) as i32
}
