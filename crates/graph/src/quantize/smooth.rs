//! Scaling columns of activations to similar sizes, at the expense of weights.
//!
//! A row of activations has one scale, so that a single large column leaves
//! only a few integers to all others. Columns are multiplied by factors before
//! they are quantized, and weights are divided by them, so that products stay
//! the same.
//!
//! Source: SmoothQuant, Xiao et al., 2023.

use super::layers::{Layer, LayerKind};
use super::weights::{LayerTensor, WeightRange, quantize_weights};
use crate::error::{Error, Result};
use crate::graph::Graph;
use multivec_kernels::{
    Activation, Activations, Layer as KernelLayer, Serial, WeightType, Weights,
};

/// The number of rows that calibration keeps.
const ROWS: usize = 256;
/// Factors are used if they reduce the error of products to at most this part:
/// multiplying by them takes a little time.
const LARGEST_ERROR_RATIO: f64 = 0.8;

/// A value whose columns can be smoothed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Smoothable {
    /// The value in the graph.
    pub value: String,
    /// The positions of the layers that read it.
    pub layers: Vec<usize>,
}

/// Finds the values whose columns can be smoothed: each layer that reads them
/// reads no other value.
pub fn smoothable(graph: &Graph, layers: &[Layer]) -> Vec<Smoothable> {
    let mut found: Vec<Smoothable> = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        let [value] = layer.rows.as_slice() else {
            continue;
        };
        match found.iter_mut().find(|known| known.value == *value) {
            Some(known) => known.layers.push(at),
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
    // Calibration adds outputs of nodes; the graph's inputs have none.
    let is_computed = |value: &String| graph.nodes().iter().any(|node| node.output.contains(value));
    found.retain(|found| !is_shared(&found.value) && is_computed(&found.value));
    found
}

/// Statistics of the rows of a value.
#[derive(Clone, Debug, Default)]
pub struct CalibrationStats {
    columns: usize,
    /// The largest absolute value of each column.
    maxima: Vec<f32>,
    /// A sample of the rows, `[_, columns]`.
    rows: Vec<f32>,
    /// The number of rows that were added.
    seen: usize,
}

impl CalibrationStats {
    /// Adds rows, `[_, columns]`. Rows with another number of columns than the
    /// first ones, and rows with numbers that are not finite, are ignored.
    pub fn add(&mut self, rows: &[f32], columns: usize) {
        if self.maxima.is_empty() {
            self.columns = columns;
            self.maxima.resize(columns, 0.);
        }
        if columns != self.columns || columns == 0 {
            return;
        }
        for row in rows.chunks_exact(columns) {
            if !row.iter().all(|value| value.is_finite()) {
                continue;
            }
            for (max, value) in self.maxima.iter_mut().zip(row) {
                *max = max.max(value.abs());
            }
            // Reservoir sampling: each row is kept with the same probability.
            let position = if self.seen < ROWS {
                self.seen
            } else {
                self.seen.wrapping_mul(0x9e37_79b9) % (self.seen + 1)
            };
            self.seen += 1;
            if position * columns == self.rows.len() {
                self.rows.extend_from_slice(row);
            } else if position < ROWS {
                self.rows[position * columns..][..columns].copy_from_slice(row);
            }
        }
    }
}

/// Finds factors for the columns of a value, `[inner]`: for each column,
/// `sqrt(largest weight / largest activation)`. `None` if they would not reduce
/// the error of products by much. `layers` are all that read the value.
///
/// # Errors
/// The errors of [`quantize_weights`].
pub fn smoothing_factors(
    stats: &CalibrationStats,
    layers: &[LayerTensor<'_>],
    range: WeightRange,
) -> Result<Option<Vec<f32>>> {
    let inner = stats.columns;
    let fits = |layer: &Layer| layer.kind == LayerKind::Product && layer.shape[0] == inner;
    if stats.rows.is_empty() || !layers.iter().all(|tensor| fits(tensor.layer)) {
        return Ok(None);
    }
    let mut weight_maxima = vec![0f32; inner];
    for weight in layers.iter().flat_map(|tensor| tensor.weights()) {
        let max = &mut weight_maxima[weight.row];
        *max = max.max(weight.value.abs());
    }
    let factors = factors(&stats.maxima, &weight_maxima);
    let (mut error_without, mut error_with) = (0., 0.);
    for &tensor in layers {
        let expected = float_products(tensor, &stats.rows);
        let error = |factors| {
            let found = quantized_products(tensor, range, factors, &stats.rows)?;
            Ok::<_, Error>(relative_error(&expected, &found))
        };
        error_without += error(&[])?;
        error_with += error(&factors)?;
    }
    Ok((error_with <= LARGEST_ERROR_RATIO * error_without).then_some(factors))
}

/// The factors of all columns; 1 for those whose activations or weights are all
/// zeros.
fn factors(activation_maxima: &[f32], weight_maxima: &[f32]) -> Vec<f32> {
    let maxima = activation_maxima.iter().zip(weight_maxima);
    let ratios: Vec<Option<f32>> = maxima
        .map(|(activation, weight)| (weight / activation).sqrt())
        .map(|ratio| ratio.is_normal().then_some(ratio))
        .collect();
    let known = || ratios.iter().flatten();
    // Divided by their mean, so that scales are of a usual size.
    let mean = known().map(|ratio| ratio.ln()).sum::<f32>() / known().count().max(1) as f32;
    let factor = |ratio: Option<f32>| ratio.map_or(1., |ratio| ratio / mean.exp());
    ratios.into_iter().map(factor).collect()
}

/// The products of rows with the original weights.
fn float_products(tensor: LayerTensor<'_>, rows: &[f32]) -> Vec<f32> {
    let [inner, outer] = tensor.layer.shape;
    let mut weights = vec![0.; inner * outer];
    for weight in tensor.weights() {
        weights[weight.row * outer + weight.column] = weight.value;
    }
    run(tensor.layer, Weights::Floats(&weights), &[], rows)
}

/// The products of rows with quantized weights.
fn quantized_products(
    tensor: LayerTensor<'_>,
    range: WeightRange,
    smoothing: &[f32],
    rows: &[f32],
) -> Result<Vec<f32>> {
    let weights = quantize_weights(tensor, range, smoothing)?;
    let bytes: Vec<u8> = weights.values.iter().map(|&value| value as u8).collect();
    let weights = Weights::Integers {
        bytes: &bytes,
        weight_type: WeightType::Int8,
        scales: &weights.scales,
        zero_points: &[],
    };
    Ok(run(tensor.layer, weights, smoothing, rows))
}

fn run(layer: &Layer, weights: Weights<'_>, smoothing: &[f32], rows: &[f32]) -> Vec<f32> {
    let [inner, outer] = layer.shape;
    let layer = KernelLayer {
        weights,
        inner,
        outer,
        smoothing,
        bias: &[],
        activation: Activation::NONE,
    };
    let mut out = vec![0.; rows.len() / inner * outer];
    if let Some(linear) = layer.pack() {
        linear.run(Activations::by_row(rows), None, &mut out, &Serial);
    }
    out
}

fn relative_error(expected: &[f32], found: &[f32]) -> f64 {
    let square = |value: f32| f64::from(value) * f64::from(value);
    let pairs = expected.iter().zip(found);
    let errors: f64 = pairs
        .map(|(expected, found)| square(expected - found))
        .sum();
    let squares: f64 = expected.iter().map(|&value| square(value)).sum();
    errors / squares.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_sample_of_rows_is_kept() {
        let mut stats = CalibrationStats::default();
        let rows: Vec<f32> = (0..3000).map(|at| at as f32).collect();
        stats.add(&rows[..30], 3);
        assert_eq!(stats.rows, rows[..30]);
        stats.add(&rows[30..], 3);
        stats.add(&[f32::NAN, 0., 1e9], 3);
        stats.add(&[1e9; 8], 4);
        assert_eq!(stats.maxima, [2997., 2998., 2999.]);
        assert_eq!((stats.seen, stats.rows.len()), (1000, ROWS * 3));
        let (kept, _) = stats.rows.as_chunks::<3>();
        assert!(
            kept.iter()
                .all(|&[one, two, three]| one % 3. == 0. && two == one + 1. && three == one + 2.)
        );
        let late = kept.iter().filter(|row| row[0] >= 1500.).count();
        assert!((96..=160).contains(&late), "{late} of {ROWS}");
    }

    #[test]
    fn factors_scale_columns_to_similar_sizes() {
        let found = factors(&[4., 0., 1., 64.], &[1., 1., 1., 1.]);
        assert_eq!(found[1], 1.);
        let ratios = [found[2] / found[0], found[0] / found[3]];
        assert!((ratios[0] - 2.).abs() < 1e-5 && (ratios[1] - 4.).abs() < 1e-5);
        let product = found[0] * found[2] * found[3];
        assert!((product - 1.).abs() < 1e-5, "{found:?}");
    }
}
