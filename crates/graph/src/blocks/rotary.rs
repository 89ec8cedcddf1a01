//! Rotary position embedding.

use super::masks::Positions;
use crate::builder::Builder;
use crate::onnx::NodeProto;

/// Tables of cosines and sines, `[length, columns]`.
#[derive(Clone)]
pub(crate) struct Rotary {
    cos: String,
    sin: String,
    half: i64,
}

impl Rotary {
    /// Computes the tables for all positions of a batch. `frequencies` are the
    /// angles from one position to the next, for each pair of columns.
    pub(crate) fn new(builder: &mut Builder, positions: &Positions, frequencies: Vec<f32>) -> Self {
        let half = frequencies.len() as i64;
        let column = positions.column_of_floats(builder);
        let row = builder.floats(&[1, half], frequencies);
        let angles = builder.add("Mul", &[&column, &row]);
        let both = builder.add_with("Concat", &[&angles, &angles], last_axis);
        Self {
            cos: builder.add("Cos", &[&both]),
            sin: builder.add("Sin", &[&both]),
            half,
        }
    }

    /// `1 / base^(2 i / columns)`, rounded as PyTorch does in single precision.
    ///
    /// Source: Su et al., RoFormer, 2021.
    pub(crate) fn frequencies(base: f64, columns: usize) -> Vec<f32> {
        let exponents = (0..columns).step_by(2);
        exponents
            .map(|at| {
                let exponent = at as f32 / columns as f32;
                1. / base.powf(f64::from(exponent)) as f32
            })
            .collect()
    }

    /// Rotates `[batch, heads, length, columns]`.
    pub(super) fn apply(&self, builder: &mut Builder, x: &str) -> String {
        let turned = {
            let [first, second] = builder.split(x, -1, [self.half; 2]);
            let negative = builder.add("Neg", &[&second]);
            builder.add_with("Concat", &[&negative, &first], last_axis)
        };
        let along = builder.add("Mul", &[x, &self.cos]);
        let across = builder.add("Mul", &[&turned, &self.sin]);
        builder.add("Add", &[&along, &across])
    }
}

fn last_axis(node: NodeProto) -> NodeProto {
    node.with_int("axis", -1)
}
