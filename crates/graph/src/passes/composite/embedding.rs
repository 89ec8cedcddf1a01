//! `EmbedLayerNormalization`: the normalized sum of a token's embeddings.
//!
//! Source: ONNX Runtime, docs/ContribOperators.md.

use super::call::Call;
use super::normalization::layer_norm;
use crate::onnx::{INT32, NodeProto};

/// `EmbedLayerNormalization(ids, segments?, words, positions, segment_table?,
/// scale, shift, mask?, position_ids?)`. Further outputs are the number of
/// tokens in each text and the sum before the normalization.
pub(super) fn embed(call: &mut Call<'_>) -> Option<Vec<String>> {
    let tables = Tables {
        words: call.input(2)?.to_owned(),
        positions: call.input(3)?.to_owned(),
        segments: call.input(4).map(str::to_owned),
        quantized: None,
    };
    if !call.is_float(2) || !call.ends_before(9) {
        return None;
    }
    let counts = counts(call)?;
    let (scale, shift) = (call.input(5)?, call.input(6)?);
    let sum = tables.sum(call, 8)?;
    let epsilon = call.node.float("epsilon", 1e-12);
    let normal = layer_norm(call, &[&sum, scale, shift], epsilon);
    Some(vec![normal, counts, sum])
}

/// `QEmbedLayerNormalization`: the same inputs in 8 bits but for the positions,
/// then the scales and the zero points of the five tensors.
pub(super) fn embed_quantized(call: &mut Call<'_>) -> Option<Vec<String>> {
    let tables = Tables {
        words: call.input(2)?.to_owned(),
        positions: call.input(3)?.to_owned(),
        segments: call.input(4).map(str::to_owned),
        quantized: Some(Quantized {
            scales: 8,
            zeros: 13,
        }),
    };
    // The node would be left without its outputs if one were missing later.
    for at in [5, 6, 8, 9, 11, 12] {
        call.input(at)?;
    }
    call.ends_before(18).then_some(())?;
    let counts = counts(call)?;
    let [scale, shift] = [5, 6].map(|at| {
        let mut inputs = vec![call.input(at)?, call.input(at + 6)?];
        inputs.extend(call.input(at + 11));
        Some(call.builder.add("DequantizeLinear", &inputs))
    });
    let sum = tables.sum(call, usize::MAX)?;
    let epsilon = call.node.float("epsilon", 1e-12);
    let normal = layer_norm(call, &[&sum, &scale?, &shift?], epsilon);
    Some(vec![normal, counts])
}

/// The number of tokens in each text, `[batch]`; empty if it is not read.
fn counts(call: &mut Call<'_>) -> Option<String> {
    let index = call.trace.index();
    let is_read = (call.node.output.get(1)).is_some_and(|name| !index.readers(name).is_empty());
    if !is_read {
        return Some(String::new());
    }
    let mask = match call.input(7) {
        Some(mask) => mask.to_owned(),
        // Without a mask, the number is 0.
        None => {
            let ids = call.input(0)?;
            let ids = call.cast(ids, INT32);
            call.builder.add("Sub", &[&ids, &ids])
        }
    };
    let keep = |node: NodeProto| node.with_int("keepdims", 0);
    Some(call.builder.add_over("ReduceSum", &mask, &[1], 13, keep))
}

struct Tables {
    words: String,
    positions: String,
    segments: Option<String>,
    quantized: Option<Quantized>,
}

/// The first inputs of scales and of zero points.
struct Quantized {
    scales: usize,
    zeros: usize,
}

impl Tables {
    /// The sum of all embeddings; `positions` is the input that has them, if
    /// any.
    fn sum(&self, call: &mut Call<'_>, positions: usize) -> Option<String> {
        let ids = call.indices(0)?;
        let words = self.look_up(call, &self.words, &ids, 0)?;
        let positions = match call.indices(positions) {
            Some(positions) => positions,
            None => {
                let length = call.size(&ids, 1);
                let positions = call.range(&length);
                call.unsqueeze(&positions, &[0])
            }
        };
        let positions = self.look_up(call, &self.positions, &positions, 1)?;
        let mut sum = call.builder.add("Add", &[&words, &positions]);
        if let Some(table) = &self.segments
            && let Some(segments) = call.indices(1)
        {
            let segments = self.look_up(call, table, &segments, 2)?;
            sum = call.builder.add("Add", &[&sum, &segments]);
        }
        Some(sum)
    }

    /// Rows of the table at that place.
    fn look_up(&self, call: &mut Call<'_>, table: &str, ids: &str, place: usize) -> Option<String> {
        let rows = call.builder.add("Gather", &[table, ids]);
        let Some(quantized) = &self.quantized else {
            return Some(rows);
        };
        let mut inputs = vec![rows.as_str(), call.input(quantized.scales + place)?];
        inputs.extend(call.input(quantized.zeros + place));
        Some(call.builder.add("DequantizeLinear", &inputs))
    }
}
