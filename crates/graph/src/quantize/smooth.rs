//! Columns of activations brought to like sizes, at the expense of weights
//! (SmoothQuant, Xiao et al., 2023).
//!
//! A row of activations has one scale, so that a single large column leaves
//! few levels to all others. Columns are multiplied by factors before they are
//! quantized, and weights are divided by the same, which changes no product.

use super::weights::floats;
use super::{Layer, LayerKind, WeightRange, quantize_weights};
use crate::Graph;
use crate::Result;
use multivec_kernels::{
    Activation, Activations, Layer as KernelLayer, Serial, WeightType, Weights,
};

/// Rows are kept of what is observed, at most so many.
const ROWS: usize = 256;
/// Factors are taken where they bring the error of a product to at most this
/// part of what it is without: they cost a little time.
const WORTH_IT: f64 = 0.8;

/// A value whose rows some products read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Smoothable {
    /// The value in the graph.
    pub value: String,
    /// The layers that read it, by position.
    pub layers: Vec<usize>,
}

/// The values that factors can be found for: all layers that read them read
/// nothing else.
pub fn smoothable(graph: &Graph, layers: &[Layer]) -> Vec<Smoothable> {
    let mut found: Vec<Smoothable> = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        let [value] = layer.rows.as_slice() else {
            continue;
        };
        match found.iter_mut().find(|one| one.value == *value) {
            Some(one) => one.layers.push(at),
            None => found.push(Smoothable {
                value: value.clone(),
                layers: vec![at],
            }),
        }
    }
    let is_shared = |value: &String| {
        let mut others = layers.iter().filter(|layer| layer.rows.len() > 1);
        others.any(|layer| layer.rows.contains(value))
    };
    // What comes from outside of the graph has no node that could be asked.
    let is_made = |value: &String| graph.nodes().iter().any(|node| node.output.contains(value));
    found.retain(|one| !is_shared(&one.value) && is_made(&one.value));
    found
}

/// What the rows of a value were.
#[derive(Clone, Debug, Default)]
pub struct CalibrationStats {
    columns: usize,
    /// The largest number of each column.
    peaks: Vec<f32>,
    /// Some of the rows, `[_, columns]`.
    rows: Vec<f32>,
    seen: usize,
}

impl CalibrationStats {
    /// Takes note of rows, `[_, columns]`. Rows of other columns than those
    /// before, or of numbers that are not finite, are passed over.
    pub fn add(&mut self, rows: &[f32], columns: usize) {
        if self.peaks.is_empty() {
            self.columns = columns;
            self.peaks.resize(columns, 0.);
        }
        if columns != self.columns || columns == 0 {
            return;
        }
        for row in rows.chunks_exact(columns) {
            if !row.iter().all(|value| value.is_finite()) {
                continue;
            }
            for (peak, value) in self.peaks.iter_mut().zip(row) {
                *peak = peak.max(value.abs());
            }
            // Each row is kept with the same probability: those that are seen
            // late take the place of others.
            let place = match self.seen < ROWS {
                true => self.seen,
                false => self.seen.wrapping_mul(0x9e37_79b9) % (self.seen + 1),
            };
            self.seen += 1;
            if place * columns == self.rows.len() {
                self.rows.extend_from_slice(row);
            } else if place < ROWS {
                self.rows[place * columns..][..columns].copy_from_slice(row);
            }
        }
    }
}

/// Factors for the columns of a value, `[inner]`, if it is worth it to
/// multiply by them: `sqrt(largest weight / largest activation)` of each
/// column. `layers` are all that read the value, with the bytes of their
/// tensors.
///
/// # Errors
/// As [`quantize_weights`].
pub fn smooth(
    observed: &CalibrationStats,
    layers: &[(&Layer, &[u8])],
    file: &str,
    range: WeightRange,
) -> Result<Option<Vec<f32>>> {
    let inner = observed.columns;
    let fits = |layer: &Layer| layer.kind == LayerKind::Product && layer.shape[0] == inner;
    if observed.rows.is_empty() || !layers.iter().all(|(layer, _)| fits(layer)) {
        return Ok(None);
    }
    let mut largest = vec![0f32; inner];
    for (layer, bytes) in layers {
        for (row, _, weight) in floats(layer, bytes) {
            largest[row] = largest[row].max(weight.abs());
        }
    }
    let factors = factors(&observed.peaks, &largest);
    let (mut without, mut with) = (0., 0.);
    for &(layer, bytes) in layers {
        let expected = products(layer, bytes, &observed.rows);
        for (factors, error) in [(&[][..], &mut without), (&factors[..], &mut with)] {
            let weights = quantize_weights(layer, file, range, factors, bytes)?;
            let bytes: Vec<u8> = weights.levels.iter().map(|&level| level as u8).collect();
            let weights = Weights::Integers {
                bytes: &bytes,
                weight_type: WeightType::Int8,
                scales: &weights.scales,
                zero_points: &[],
            };
            let found = run(layer, weights, factors, &observed.rows);
            *error += relative_error(&expected, &found);
        }
    }
    Ok((with <= WORTH_IT * without).then_some(factors))
}

/// Columns that were never seen, or that nothing reads, stay.
fn factors(peaks: &[f32], largest: &[f32]) -> Vec<f32> {
    let ratio = |(&peak, &largest): (&f32, &f32)| match (largest / peak).sqrt() {
        ratio if ratio.is_normal() => Some(ratio),
        _ => None,
    };
    let ratios: Vec<Option<f32>> = peaks.iter().zip(largest).map(ratio).collect();
    let known = || ratios.iter().flatten();
    // Around 1, so that scales stay of a usual size.
    let mean = known().map(|ratio| ratio.ln()).sum::<f32>() / known().count().max(1) as f32;
    let factor = |ratio: Option<f32>| ratio.map_or(1., |ratio| ratio / mean.exp());
    ratios.into_iter().map(factor).collect()
}

/// The products of rows and the weights as they are.
fn products(layer: &Layer, bytes: &[u8], rows: &[f32]) -> Vec<f32> {
    let [inner, outer] = layer.shape;
    let mut weights = vec![0.; inner * outer];
    for (row, column, weight) in floats(layer, bytes) {
        weights[row * outer + column] = weight;
    }
    run(layer, Weights::Floats(&weights), &[], rows)
}

fn run(layer: &Layer, weights: Weights<'_>, smoothing: &[f32], rows: &[f32]) -> Vec<f32> {
    let [inner, outer] = layer.shape;
    let layer = KernelLayer {
        weights,
        inner,
        outer,
        smoothing,
        bias: &[],
        activation: Activation::None,
    };
    let mut out = vec![0.; rows.len() / inner * outer];
    if let Some(linear) = layer.pack() {
        linear.run(Activations::by_row(rows), None, &mut out, &Serial);
    }
    out
}

fn relative_error(expected: &[f32], found: &[f32]) -> f64 {
    let square = |value: f32| f64::from(value) * f64::from(value);
    let all = expected.iter().zip(found);
    let errors: f64 = all.map(|(one, other)| square(one - other)).sum();
    let squares: f64 = expected.iter().map(|&value| square(value)).sum();
    errors / squares.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_are_kept_as_there_is_room_for() {
        let mut observed = CalibrationStats::default();
        let rows: Vec<f32> = (0..3000).map(|at| at as f32).collect();
        observed.add(&rows[..30], 3);
        assert_eq!(observed.rows, rows[..30]);
        observed.add(&rows[30..], 3);
        observed.add(&[f32::NAN, 0., 1e9], 3);
        observed.add(&[1e9; 8], 4);
        assert_eq!(observed.peaks, [2997., 2998., 2999.]);
        assert_eq!((observed.seen, observed.rows.len()), (1000, ROWS * 3));
        let (kept, _) = observed.rows.as_chunks::<3>();
        assert!(
            kept.iter()
                .all(|&[one, two, three]| one % 3. == 0. && two == one + 1. && three == one + 2.)
        );
        let late = kept.iter().filter(|row| row[0] >= 1500.).count();
        assert!((96..=160).contains(&late), "{late} of {ROWS}");
    }

    #[test]
    fn factors_bring_columns_to_like_sizes() {
        let found = factors(&[4., 0., 1., 64.], &[1., 1., 1., 1.]);
        assert_eq!(found[1], 1.);
        let ratios = [found[2] / found[0], found[0] / found[3]];
        assert!((ratios[0] - 2.).abs() < 1e-5 && (ratios[1] - 4.).abs() < 1e-5);
        let product = found[0] * found[2] * found[3];
        assert!((product - 1.).abs() < 1e-5, "{found:?}");
    }
}
