//! Every layer of a graph quantized, part by part.

use std::ops::Range;

use prost::bytes::Bytes;

use super::layers::{Layer, LayerKind, layers};
use super::replace::{QuantizedLayer, replace};
use super::weights::{LayerTensor, QuantizedWeights, WeightRange, quantize_weights};
use crate::error::Result;
use crate::external::{ExternalLocation, ExternalReader, tensor_bytes};
use crate::graph::Graph;
use crate::onnx::TensorProto;

/// Weights that are read at once.
const PART: usize = 1 << 18;

/// Quantizes every layer that [`layers`] finds, by weights alone. `file` names
/// the model in errors; `external` reads tensors of other files, of which it is
/// asked for a part at a time where each of the rows that are stored has a scale
/// of its own. A graph that cannot be quantized stays as it is.
///
/// # Errors
/// Those of [`layers`], [`quantize_weights`] and `external`.
pub fn quantize_all(graph: &mut Graph, file: &str, external: &ExternalReader<'_>) -> Result<()> {
    let quantized = layers(graph, file)?.into_iter().map(|layer| {
        let reader = LayerReader {
            layer: &layer,
            tensor: layer.tensor(graph),
            file,
            external,
        };
        let weights = reader.quantize()?;
        Ok(weights.into_layer(layer, &[]))
    });
    let quantized: Vec<QuantizedLayer> = quantized.collect::<Result<_>>()?;
    replace(graph, &quantized);
    Ok(())
}

/// Reads the weights of a layer.
struct LayerReader<'a> {
    layer: &'a Layer,
    tensor: Option<&'a TensorProto>,
    file: &'a str,
    external: &'a ExternalReader<'a>,
}

impl LayerReader<'_> {
    fn quantize(&self) -> Result<QuantizedWeights> {
        let Some(location) = self.location_of_rows() else {
            let bytes = match self.tensor {
                Some(tensor) => tensor_bytes(tensor, self.external)?,
                None => Bytes::new(),
            };
            return self.quantize_part(self.layer, &bytes);
        };
        let (layer, width) = (self.layer, self.layer.stored_width());
        let rows = layer.scale_count();
        let step = (PART / width.max(1)).max(1);
        let mut all = QuantizedWeights {
            values: vec![0; layer.weight_count()],
            scales: Vec::with_capacity(rows),
        };
        for start in (0..rows).step_by(step) {
            let end = (start + step).min(rows);
            let bytes = self.read(location, start..end)?;
            let shape = match layer.kind {
                LayerKind::Product => [width, end - start],
                LayerKind::Embedding => [end - start, width],
            };
            let part = Layer {
                shape,
                ..layer.clone()
            };
            let found = self.quantize_part(&part, &bytes)?;
            all.scales.extend(found.scales);
            match layer.kind {
                LayerKind::Product => {
                    let lines = all.values.chunks_exact_mut(rows);
                    let parts = found.values.chunks_exact(end - start);
                    lines
                        .zip(parts)
                        .for_each(|(line, part)| line[start..end].copy_from_slice(part));
                }
                LayerKind::Embedding => {
                    all.values[start * width..end * width].copy_from_slice(&found.values);
                }
            }
        }
        Ok(all)
    }

    /// Where the weights are, if they can be read row by row.
    fn location_of_rows(&self) -> Option<ExternalLocation<'_>> {
        let location = ExternalLocation::of(self.tensor?)?;
        let expected = self
            .layer
            .weight_count()
            .checked_mul(location.stored.size())?;
        let is_whole = location
            .length
            .is_none_or(|length| length == expected as u64);
        (is_whole && self.layer.has_scale_for_stored_row()).then_some(location)
    }

    fn read(&self, whole: ExternalLocation<'_>, rows: Range<usize>) -> Result<Bytes> {
        let width = self.layer.stored_width();
        let bytes = (width * whole.stored.size()) as u64;
        let part = ExternalLocation {
            offset: whole.offset.saturating_add(rows.start as u64 * bytes),
            length: Some(rows.len() as u64 * bytes),
            ..whole
        };
        let mut tensor = TensorProto {
            name: self.tensor.and_then(|tensor| tensor.name.clone()),
            data_type: self.tensor.and_then(|tensor| tensor.data_type),
            dims: vec![rows.len() as i64, width as i64],
            ..TensorProto::default()
        };
        part.write_to(&mut tensor);
        (self.external)(&tensor)
    }

    fn quantize_part(&self, layer: &Layer, bytes: &[u8]) -> Result<QuantizedWeights> {
        let tensor = LayerTensor::new(layer, bytes, self.file);
        quantize_weights(tensor, WeightRange::Full, &[])
    }
}
