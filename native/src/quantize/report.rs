//! The report of a quantization.

use std::path::PathBuf;

use multivec_core::Precision;
use multivec_graph::quantize::LayerKind;

use super::fidelity::Fidelity;
use super::search::Found;
use super::workspace::Workspace;

/// How a layer was quantized.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerReport {
    /// The name of its node.
    pub name: String,
    /// The use of its weights.
    pub kind: LayerKind,
    /// `[inner, outer]` of a matrix product, `[ids, columns]` of a table.
    pub shape: [usize; 2],
    /// The precision of its weights in the INT8 model.
    pub precision: Precision,
    /// Whether the columns of its input are scaled to similar ranges.
    pub smoothed: bool,
    /// The fidelity with this layer, or the group that it was judged with, in
    /// 32-bit floats and all others in 8 bits. `None` if the model met the
    /// target with all layers quantized, so that no layer was judged.
    pub alone: Option<Fidelity>,
}

/// The result of [`quantize_model`](crate::quantize_model).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizeReport {
    /// The INT8 model.
    pub file: PathBuf,
    /// The external file of its weights, if any.
    pub data: Option<PathBuf>,
    /// All layers that can be quantized, in order of execution.
    pub layers: Vec<LayerReport>,
    /// The fidelity of the model.
    pub fidelity: Fidelity,
    /// The fidelity with every layer quantized.
    pub all_quantized: Fidelity,
    /// The fidelity of the FP32 weights quantized when they are loaded, which
    /// those of safetensors are by default: every layer, none smoothed. `None`
    /// for others.
    pub at_load: Option<Fidelity>,
    /// How many times the model was run on the sample in search of layers.
    pub measurements: usize,
    /// Bytes of the FP32 model, including external weights.
    pub bytes_before: u64,
    /// Bytes of the INT8 model, including external weights.
    pub bytes_after: u64,
}

pub(super) fn layers(workspace: &Workspace, found: &Found) -> Vec<LayerReport> {
    let layers = workspace.layers().iter().enumerate();
    layers
        .map(|(at, quantized)| LayerReport {
            name: quantized.layer.name.clone(),
            kind: quantized.layer.kind,
            shape: quantized.layer.shape,
            precision: if found.kept.contains(&at) {
                Precision::Fp32
            } else {
                Precision::Int8
            },
            smoothed: quantized.smoothing.is_some() && !found.kept.contains(&at),
            alone: found.alone.get(at).copied(),
        })
        .collect()
}
