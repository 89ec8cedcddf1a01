//! Dynamic quantization of float rows: `x = (quantized - zero_point) * scale`.

use super::super::isa::{Isa, LINE, Levels, MAX_LANES, Plain, Vector, entry};
use super::super::rounding::nearest;

/// The quantization parameters of a row, or of a block of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct RowScale {
    pub(super) scale: f32,
    pub(super) zero_point: i32,
    /// The sum of `quantized - zero_point`, if [`QuantizeOptions::is_summed`].
    pub(super) sum: i32,
}

/// The smallest and the largest value of `rows * smoothing`, and of 0; NaN if a
/// value is not finite. An empty `smoothing` is none.
pub(super) fn range(rows: &[f32], smoothing: &[f32]) -> (f32, f32) {
    if smoothing.is_empty() {
        return range_of(Plain::<1>, rows);
    }
    let values = rows.iter().zip(smoothing.iter().cycle());
    let smooth: Vec<f32> = values.map(|(value, factor)| value * factor).collect();
    range_of(Plain::<1>, &smooth)
}

#[inline(always)]
fn range_of<I: Isa>(isa: I, values: &[f32]) -> (f32, f32) {
    // Two accumulators each, so that steps do not wait for each other.
    let zero = isa.splat(0.);
    let (mut low, mut high, mut nan) = ([zero; 2], [zero; 2], [zero; 2]);
    let rest = values.len() - values.len() % (2 * I::Vector::LANES);
    for at in (0..rest).step_by(2 * I::Vector::LANES) {
        for part in 0..2 {
            // SAFETY: both vectors end at or before `rest`, which is in `values`.
            let value = unsafe { isa.load(values.as_ptr().add(at + part * I::Vector::LANES)) };
            low[part] = value.min(low[part]);
            high[part] = value.max(high[part]);
            // NaN as soon as a value is not finite, else 0.
            nan[part] = value.mul_add(zero, nan[part]);
        }
    }
    let [low, high] = [low[0].min(low[1]), high[0].max(high[1])];
    let mut nan = nan[0].add(nan[1]).sum();
    let (mut low, mut high) = (-zero.sub(low).largest(), high.largest());
    for &value in &values[rest..] {
        low = value.min(low);
        high = value.max(high);
        nan += value * 0.;
    }
    (low + nan, high + nan)
}

/// How rows are quantized.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct QuantizeOptions<'a> {
    /// Values of a row.
    pub(super) columns: usize,
    /// Quantized values of a row, padded with zeros.
    pub(super) stride: usize,
    /// Factors of the columns, applied before; empty if there are none.
    pub(super) smoothing: &'a [f32],
    /// The range of all rows. `None` gives each row, or block of it, its own.
    pub(super) range: Option<(f32, f32)>,
    /// The largest quantized value.
    pub(super) largest: i32,
    /// Whether sums of quantized values are computed.
    pub(super) is_summed: bool,
}

/// How many values ahead input is prefetched: a processor's own prefetcher stops
/// at the end of a page.
const PREFETCH_DISTANCE: usize = 1 << 10;

/// Quantizes rows as ONNX's `DynamicQuantizeLinear` does a tensor.
#[inline(always)]
pub(in super::super) fn quantize_rows<I: Isa>(
    isa: I,
    options: QuantizeOptions<'_>,
    rows: &[f32],
    quantized: &mut [u8],
    scales: &mut [RowScale],
) {
    let size = options.stride * size_of::<I::Quantized>();
    let block = I::block_size(options.stride);
    let blocks = options.stride.div_ceil(block);
    let count = scales.len() / blocks;
    assert_eq!(
        quantized.len(),
        count * size,
        "quantized values of each row"
    );
    assert_eq!(scales.len(), count * blocks, "scales of each row");
    let rows = rows
        .chunks_exact(options.columns)
        .zip(quantized.chunks_exact_mut(size));
    let mut smooth = Vec::new();
    for ((row, quantized), scales) in rows.zip(scales.chunks_exact_mut(blocks)) {
        for at in (0..row.len()).step_by(LINE) {
            I::prefetch_read(row.as_ptr().wrapping_add(at + PREFETCH_DISTANCE));
        }
        let row = match options.smoothing {
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
        let quantized = quantized.chunks_mut(block * size_of::<I::Quantized>());
        for ((row, quantized), scale) in row.chunks(block).zip(quantized).zip(scales) {
            let (low, high) = match options.range {
                Some(range) => range,
                None => range_of(isa, row),
            };
            *scale = quantize_row(isa, &options, row, (low, high), quantized);
        }
    }
}

/// `values / scale`, by multiplication where there is an inverse.
#[inline(always)]
fn divide<V: Vector>(values: V, scale: f32, inverse: Option<f32>) -> V {
    match inverse {
        Some(inverse) => values.mul(values.splat(inverse)),
        None => values.div(values.splat(scale)),
    }
}

/// Rounds as `DynamicQuantizeLinear` does if all rows share a range. With a range
/// of its own, a value halfway between two integers may become either.
#[inline(always)]
fn quantize_row<I: Isa>(
    isa: I,
    options: &QuantizeOptions<'_>,
    row: &[f32],
    (low, high): (f32, f32),
    quantized: &mut [u8],
) -> RowScale {
    let scale = match (high - low) / options.largest as f32 {
        // All values are 0, whatever the scale.
        0. => 1.,
        scale => scale,
    };
    if !scale.is_finite() {
        quantized.fill(0);
        return RowScale {
            scale: f32::NAN,
            zero_point: 0,
            sum: 0,
        };
    }
    let zero_point = nearest(-low / scale).clamp(0, options.largest);
    let levels = Levels {
        zero: zero_point,
        largest: options.largest,
    };
    let size = size_of::<I::Quantized>();
    let (values, padding) = quantized.split_at_mut(row.len() * size);
    let out = values.as_mut_ptr().cast::<I::Quantized>();
    let inverse = match 1. / scale {
        // A division takes longer than everything else here.
        inverse if inverse.is_finite() && options.range.is_none() => Some(inverse),
        _ => None,
    };
    let lanes = I::Vector::LANES;
    let fours = row.len() - row.len() % (4 * lanes);
    for at in (0..fours).step_by(4 * lanes) {
        let mut values = [isa.splat(0.); 4];
        for (part, value) in values.iter_mut().enumerate() {
            // SAFETY: all four vectors end at or before `fours`, which is in `row`.
            let loaded = unsafe { isa.load(row.as_ptr().add(at + part * lanes)) };
            *value = divide::<I::Vector>(loaded, scale, inverse);
        }
        // SAFETY: `out` has room for `row.len()` values.
        unsafe { isa.quantize_four(values, levels, out.add(at)) };
    }
    let rest = row.len() - row.len() % lanes;
    for at in (fours..rest).step_by(lanes) {
        // SAFETY: the vector ends at or before `rest`, which is in `row`, and `out`
        // has room for `row.len()` values.
        unsafe {
            let values = isa.load(row.as_ptr().add(at));
            isa.quantize(divide(values, scale, inverse), levels, out.add(at));
        }
    }
    if rest < row.len() {
        let (mut values, mut last) = ([0f32; MAX_LANES], [I::Quantized::default(); MAX_LANES]);
        values[..row.len() - rest].copy_from_slice(&row[rest..]);
        // SAFETY: both arrays have at least a vector of values, of which
        // `row.len() - rest` are copied to the end of `out`.
        unsafe {
            let values = isa.load(values.as_ptr());
            isa.quantize(divide(values, scale, inverse), levels, last.as_mut_ptr());
            std::ptr::copy_nonoverlapping(last.as_ptr(), out.add(rest), row.len() - rest);
        }
    }
    // Any value would do: the weights there are zeros.
    padding.fill(0);
    let offset = if I::CENTRED {
        0
    } else {
        zero_point - I::OFFSET
    };
    let sum = if options.is_summed {
        (0..row.len())
            // SAFETY: all values of the row were written above.
            .map(|at| unsafe { out.add(at).read_unaligned() }.into() - offset)
            .sum()
    } else {
        0
    };
    RowScale {
        scale,
        zero_point,
        sum,
    }
}

entry! {
    /// Quantizes rows, see [`quantize_rows`], to quantized values of
    /// [`quantized_size`](isa::Layout::quantized_size) bytes.
    quantize_with, Quantize<'a> = quantize_rows(
        options: QuantizeOptions<'a>,
        rows: &'a [f32],
        quantized: &'a mut [u8],
        scales: &'a mut [RowScale],
    )
}
