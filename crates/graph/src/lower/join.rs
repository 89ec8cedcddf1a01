//! Layers that read the same rows, joined to a single one.

use super::layer::{LoadedLayer, LoadedWeights, QuantizedWeights};
use multivec_kernels::Activation;

impl LoadedLayer {
    /// Joins layers to one with the columns of all, side by side. `None` if
    /// they differ in more than weights, scales, zero points and bias.
    pub(super) fn join(layers: &[Self]) -> Option<Self> {
        let first = layers.first()?;
        let is_alike = |layer: &Self| {
            (layer.inner, &layer.smoothing) == (first.inner, &first.smoothing)
                && layer.activation == Activation::NONE
                && layer.has_valid_sizes()
        };
        layers.iter().all(is_alike).then_some(())?;
        Some(Self {
            inner: first.inner,
            outer: layers.iter().map(|layer| layer.outer).sum(),
            weights: join_weights(layers)?,
            smoothing: first.smoothing.clone(),
            bias: per_column(layers, 0., |layer| &layer.bias),
            activation: Activation::NONE,
        })
    }

    /// Whether there are as many weights as the sizes say, and one scale, zero
    /// point and bias for all columns or for each.
    fn has_valid_sizes(&self) -> bool {
        let fits_columns = |count: usize| count <= 1 || count == self.outer;
        let size = self.inner.checked_mul(self.outer);
        fits_columns(self.bias.len())
            && match &self.weights {
                LoadedWeights::Floats(weights) => Some(weights.len()) == size,
                LoadedWeights::Integers(weights) => {
                    Some(weights.bytes.len()) == size
                        && fits_columns(weights.scales.len())
                        && fits_columns(weights.zero_points.len())
                }
            }
    }

    fn floats(&self) -> Option<&[f32]> {
        match &self.weights {
            LoadedWeights::Floats(weights) => Some(weights),
            LoadedWeights::Integers(_) => None,
        }
    }

    fn integers(&self) -> Option<&QuantizedWeights> {
        match &self.weights {
            LoadedWeights::Floats(_) => None,
            LoadedWeights::Integers(weights) => Some(weights),
        }
    }

    fn scales(&self) -> &[f32] {
        self.integers().map_or(&[], |weights| &weights.scales)
    }

    fn zero_points(&self) -> &[u8] {
        self.integers().map_or(&[], |weights| &weights.zero_points)
    }
}

/// Joins weights of the same type.
fn join_weights(layers: &[LoadedLayer]) -> Option<LoadedWeights> {
    if let Some(weights) = layers.iter().map(LoadedLayer::floats).collect() {
        return Some(LoadedWeights::Floats(side_by_side(layers, weights)));
    }
    let all = layers.iter().map(LoadedLayer::integers);
    let all: Vec<&QuantizedWeights> = all.collect::<Option<_>>()?;
    let weight_type = all.first()?.weight_type;
    let is_same = all.iter().all(|one| one.weight_type == weight_type);
    is_same.then_some(())?;
    let bytes = all.iter().map(|one| one.bytes.as_ref()).collect();
    Some(LoadedWeights::Integers(QuantizedWeights {
        bytes: side_by_side(layers, bytes).into(),
        weight_type,
        scales: per_column(layers, 1., LoadedLayer::scales),
        zero_points: per_column(layers, 0, LoadedLayer::zero_points).into(),
    }))
}

/// A matrix whose rows are the rows of all matrices, one after the other.
fn side_by_side<T: Copy>(layers: &[LoadedLayer], weights: Vec<&[T]>) -> Vec<T> {
    let inner = layers.first().map_or(0, |layer| layer.inner);
    let mut joined = Vec::with_capacity(weights.iter().map(|weights| weights.len()).sum());
    for row in 0..inner {
        for (layer, weights) in layers.iter().zip(&weights) {
            joined.extend_from_slice(&weights[row * layer.outer..][..layer.outer]);
        }
    }
    joined
}

/// One value for each column of all layers, of which some may have one for all
/// columns, or none and use the default.
fn per_column<T: Copy>(
    layers: &[LoadedLayer],
    default: T,
    values: impl Fn(&LoadedLayer) -> &[T],
) -> Vec<T> {
    if layers.iter().all(|layer| values(layer).is_empty()) {
        return Vec::new();
    }
    let all = layers.iter().map(|layer| match values(layer) {
        [] => vec![default; layer.outer],
        [value] => vec![*value; layer.outer],
        values => values.to_vec(),
    });
    all.collect::<Vec<_>>().concat()
}
