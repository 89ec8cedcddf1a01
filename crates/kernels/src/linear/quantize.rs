//! Rows of floats in 8 bits: `x = (level - zero) * scale`.

use super::super::exp::nearest;
use super::super::isa::{Isa, LINE, MOST_LANES, Vector};

/// What the levels of a row, or of a block of it, stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct RowScale {
    pub(super) scale: f32,
    pub(super) zero: i32,
    /// Sum of the levels less the zero point, if it was wanted.
    pub(super) sum: i32,
}

/// The least and the largest value of rows times their columns' factors, if
/// there are any, with 0 among them; not a number if any is not finite.
pub(super) fn range(rows: &[f32], smoothing: &[f32]) -> (f32, f32) {
    if smoothing.is_empty() {
        return range_of::<f32>(rows);
    }
    let values = rows.iter().zip(smoothing.iter().cycle());
    let smooth: Vec<f32> = values.map(|(value, factor)| value * factor).collect();
    range_of::<f32>(&smooth)
}

#[inline(always)]
fn range_of<V: Vector>(values: &[f32]) -> (f32, f32) {
    // Two at a time, so that no step waits for the one before.
    let zero = V::splat(0.);
    let (mut low, mut high, mut odd) = ([zero; 2], [zero; 2], [zero; 2]);
    let rest = values.len() - values.len() % (2 * V::LANES);
    for at in (0..rest).step_by(2 * V::LANES) {
        for part in 0..2 {
            // SAFETY: a vector before the rest.
            let value = unsafe { V::load(values.as_ptr().add(at + part * V::LANES)) };
            low[part] = value.min(low[part]);
            high[part] = value.max(high[part]);
            // Not a number, once any value is not finite.
            odd[part] = value.mul_add(zero, odd[part]);
        }
    }
    let [low, high] = [low[0].min(low[1]), high[0].max(high[1])];
    let mut odd = odd[0].add(odd[1]).sum();
    let (mut low, mut high) = (-zero.sub(low).largest(), high.largest());
    for &value in &values[rest..] {
        low = value.min(low);
        high = value.max(high);
        odd += value * 0.;
    }
    (low + odd, high + odd)
}

/// How rows are quantized.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Quantization<'a> {
    /// Values of a row.
    pub(super) columns: usize,
    /// Levels of a row, of which those beyond the columns are zeros.
    pub(super) stride: usize,
    /// What columns are multiplied by before, if anything.
    pub(super) smoothing: &'a [f32],
    /// The range of all rows, if they do not have one each.
    pub(super) range: Option<(f32, f32)>,
    /// Whether sums of levels are wanted.
    pub(super) is_summed: bool,
}

/// Values by which reading is hinted at ahead, beyond what a processor does by
/// itself, which ends with each page of memory.
const AHEAD: usize = 1 << 10;

/// Quantizes rows as ONNX's `DynamicQuantizeLinear` does a tensor.
#[inline(always)]
pub(in super::super) fn quantize_rows<I: Isa>(
    how: Quantization<'_>,
    rows: &[f32],
    levels: &mut [u8],
    scales: &mut [RowScale],
) {
    let size = how.stride * size_of::<I::Level>();
    let block = I::block(how.stride);
    let blocks = how.stride.div_ceil(block);
    let count = scales.len() / blocks;
    assert_eq!(levels.len(), count * size, "levels for each row");
    assert_eq!(scales.len(), count * blocks, "scales for each row");
    let rows = rows
        .chunks_exact(how.columns)
        .zip(levels.chunks_exact_mut(size));
    let mut smooth = Vec::new();
    for ((row, levels), scales) in rows.zip(scales.chunks_exact_mut(blocks)) {
        for at in (0..row.len()).step_by(LINE) {
            I::expect_read(row.as_ptr().wrapping_add(at + AHEAD));
        }
        let row = match how.smoothing {
            [] => row,
            factors => {
                smooth.clear();
                smooth.extend(
                    row.iter()
                        .zip(factors)
                        .map(|(value, factor)| value * factor),
                );
                &smooth
            }
        };
        let levels = levels.chunks_mut(block * size_of::<I::Level>());
        for ((row, levels), scale) in row.chunks(block).zip(levels).zip(scales) {
            let (low, high) = match how.range {
                Some(range) => range,
                None => range_of::<I::Vector>(row),
            };
            *scale = quantize_row::<I>(&how, row, (low, high), levels);
        }
    }
}

/// Values in units of the scale, by its inverse if there is one.
#[inline(always)]
fn over<V: Vector>(values: V, scale: f32, inverse: Option<f32>) -> V {
    match inverse {
        Some(factor) => values.mul(V::splat(factor)),
        None => values.div(V::splat(scale)),
    }
}

/// Rounds as `DynamicQuantizeLinear` does where all rows have one range; else a
/// value between two levels may become either.
#[inline(always)]
fn quantize_row<I: Isa>(
    how: &Quantization<'_>,
    row: &[f32],
    (low, high): (f32, f32),
    levels: &mut [u8],
) -> RowScale {
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
    let zero = nearest(-low / scale).clamp(0, I::LARGEST as i32);
    let size = size_of::<I::Level>();
    let (made, beyond) = levels.split_at_mut(row.len() * size);
    let made = made.as_mut_ptr().cast::<I::Level>();
    let factor = match 1. / scale {
        // To divide takes longer than all else.
        factor if factor.is_finite() && how.range.is_none() => Some(factor),
        _ => None,
    };
    let lanes = I::Vector::LANES;
    let fours = row.len() - row.len() % (4 * lanes);
    for at in (0..fours).step_by(4 * lanes) {
        let mut values = [I::Vector::splat(0.); 4];
        for (part, value) in values.iter_mut().enumerate() {
            // SAFETY: a vector before the rest.
            let loaded = unsafe { I::Vector::load(row.as_ptr().add(at + part * lanes)) };
            *value = over::<I::Vector>(loaded, scale, factor);
        }
        // SAFETY: there is room for a level a value.
        unsafe { I::four_levels(values, zero, made.add(at)) };
    }
    let rest = row.len() - row.len() % lanes;
    for at in (fours..rest).step_by(lanes) {
        // SAFETY: a vector before the rest, and room for a level a value.
        unsafe {
            let values = I::Vector::load(row.as_ptr().add(at));
            I::levels(over(values, scale, factor), zero, made.add(at));
        }
    }
    if rest < row.len() {
        let (mut values, mut last) = ([0f32; MOST_LANES], [I::Level::default(); MOST_LANES]);
        values[..row.len() - rest].copy_from_slice(&row[rest..]);
        // SAFETY: the arrays have room for a vector, and `made` for the rest.
        unsafe {
            let values = I::Vector::load(values.as_ptr());
            I::levels(over(values, scale, factor), zero, last.as_mut_ptr());
            std::ptr::copy_nonoverlapping(last.as_ptr(), made.add(rest), row.len() - rest);
        }
    }
    // What is beyond the row meets weights that are zero.
    beyond.fill(0);
    let offset = if I::CENTRED { 0 } else { zero - I::OFFSET };
    let sum = match how.is_summed {
        true => (0..row.len())
            // SAFETY: all levels of the row were written.
            .map(|at| unsafe { made.add(at).read_unaligned() }.into() - offset)
            .sum(),
        false => 0,
    };
    RowScale { scale, zero, sum }
}
