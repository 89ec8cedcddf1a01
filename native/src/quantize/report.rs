//! What became of a model.

use std::path::PathBuf;

use multivec_core::Precision;
use multivec_core::fidelity::Cosines;
use multivec_graph::quantize::LayerKind;

use super::search::Found;
use super::workspace::Workspace;

/// Cosines of token vectors to those of the FP32 model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fidelity {
    /// The mean.
    pub mean: f64,
    /// The first percentile.
    pub p1: f64,
    /// The least.
    pub minimum: f64,
}

impl From<&Cosines> for Fidelity {
    fn from(cosines: &Cosines) -> Self {
        Self {
            mean: cosines.mean(),
            p1: cosines.percentile(1.),
            minimum: cosines.minimum(),
        }
    }
}

/// What became of a layer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerReport {
    /// The name of its node.
    pub name: String,
    /// What its weights are used for.
    pub kind: LayerKind,
    /// `[inner, outer]` of a product, `[ids, columns]` of a table.
    pub shape: [usize; 2],
    /// The precision of its weights now.
    pub precision: Precision,
    /// Whether the columns of what it reads are brought to like sizes.
    pub smoothed: bool,
    /// The fidelity with this layer, or the group that it was judged with, in
    /// 32-bit floats and all others in 8 bits. `None` where the model met the
    /// target with all layers quantized, so that none was judged.
    pub alone: Option<Fidelity>,
}

/// What [`quantize_model`](crate::quantize_model) did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizeReport {
    /// The INT8 model.
    pub file: PathBuf,
    /// Its weights, where they are in a file of their own.
    pub data: Option<PathBuf>,
    /// All layers that can be quantized, in order of execution.
    pub layers: Vec<LayerReport>,
    /// The fidelity of the model.
    pub fidelity: Fidelity,
    /// The fidelity with every layer quantized.
    pub all_quantized: Fidelity,
    /// How many times the model was run on the sample.
    pub measurements: usize,
    /// Bytes of the FP32 model, weights in other files included.
    pub bytes_before: u64,
    /// Bytes of the INT8 model, weights in other files included.
    pub bytes_after: u64,
}

pub(super) fn layers(workspace: &Workspace, found: &Found) -> Vec<LayerReport> {
    let layers = workspace.layers().iter().enumerate();
    layers
        .map(|(at, quantized)| LayerReport {
            name: quantized.layer.name.clone(),
            kind: quantized.layer.kind,
            shape: quantized.layer.shape,
            precision: match found.kept.contains(&at) {
                true => Precision::Fp32,
                false => Precision::Int8,
            },
            smoothed: quantized.smoothing.is_some() && !found.kept.contains(&at),
            alone: found.alone.get(at).copied(),
        })
        .collect()
}
