//! Normalizations that are one operator.

use ndarray::Axis;

use super::{Call, Tensor};

/// RMS normalization of known elements: `x / sqrt(mean(x^2) + epsilon) * scale`,
/// with the mean over the last axes, from `axis` on.
pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    let is_rms = matches!(name, "RMSNormalization" | "SimplifiedLayerNormalization");
    let (true, Tensor::Float(x), Tensor::Float(scale)) = (is_rms, call.input(0)?, call.input(1)?)
    else {
        return None;
    };
    let first = call.axis(-1, x.ndim())?;
    let scale = scale.broadcast(x.shape())?.mapv(f64::from);
    let x = x.mapv(f64::from);
    let mut mean = x.mapv(|x| x * x);
    for axis in first..x.ndim() {
        mean = mean.mean_axis(Axis(axis))?.insert_axis(Axis(axis));
    }
    let epsilon = f64::from(call.node.float("epsilon", 1e-5));
    let deviation = mean.mapv(|mean| (mean + epsilon).sqrt());
    let normal = (x / deviation * scale).mapv(|x| x as f32);
    Some(vec![Tensor::Float(normal)])
}
