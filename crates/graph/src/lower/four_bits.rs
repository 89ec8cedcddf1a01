//! Weights of ONNX Runtime's `MatMulNBits`: 4-bit integers in blocks that share
//! a scale.
//!
//! Source of the layout: ONNX Runtime, docs/ContribOperators.md.

use crate::onnx::NodeProto;
use crate::operators::CONTRIB_DOMAIN;

/// The zero point of blocks without one.
const DEFAULT_ZERO_POINT: u8 = 8;

/// Whether a node is a `MatMulNBits` whose weights can be read here.
pub(super) fn is_product(node: &NodeProto) -> bool {
    node.domain.as_deref() == Some(CONTRIB_DOMAIN)
        && node.op_type.as_deref() == Some("MatMulNBits")
        && node.int("bits", 4) == 4
        // Blocks may be permuted; we do not support that.
        && node.input.get(4).is_none_or(String::is_empty)
}

/// The sizes of a product.
pub(super) struct Blocks {
    pub(super) inner: usize,
    pub(super) outer: usize,
    /// The number of weights of a column that share a scale.
    size: usize,
}

impl Blocks {
    pub(super) fn of(node: &NodeProto) -> Option<Self> {
        let size = |name| usize::try_from(node.int(name, 0)).ok();
        let blocks = Self {
            inner: size("K")?,
            outer: size("N")?,
            size: size("block_size")?,
        };
        // What the operator requires.
        (blocks.size >= 16 && blocks.size.is_power_of_two()).then_some(blocks)
    }

    /// The weights as floats, `[inner, outer]`: `(value - zero_point) * scale`.
    /// `None` if the lengths do not fit the sizes.
    pub(super) fn floats(
        &self,
        values: &[u8],
        scales: &[f32],
        zero_points: &[u8],
    ) -> Option<Vec<f32>> {
        let blocks = self.inner.div_ceil(self.size);
        let column_bytes = blocks.checked_mul(self.size / 2)?;
        let zero_point_bytes = blocks.div_ceil(2);
        let fits = Some(values.len()) == column_bytes.checked_mul(self.outer)
            && Some(scales.len()) == blocks.checked_mul(self.outer)
            && (zero_points.is_empty()
                || Some(zero_points.len()) == zero_point_bytes.checked_mul(self.outer));
        (fits && self.outer > 0).then_some(())?;
        let weight = |row: usize, column: usize| {
            let block = row / self.size;
            let zero = match zero_points {
                [] => DEFAULT_ZERO_POINT,
                zero_points => half(&zero_points[column * zero_point_bytes..], block),
            };
            let value = half(&values[column * column_bytes..], row);
            (f32::from(value) - f32::from(zero)) * scales[column * blocks + block]
        };
        let weights = (0..self.inner)
            .flat_map(|row| (0..self.outer).map(move |column| (row, column)))
            .map(|(row, column)| weight(row, column));
        Some(weights.collect())
    }
}

/// The 4-bit integer at a position; the low half of a byte comes first.
fn half(bytes: &[u8], at: usize) -> u8 {
    (bytes[at / 2] >> (4 * (at % 2))) & 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_the_order_of_the_operator() {
        let blocks = Blocks {
            inner: 20,
            outer: 2,
            size: 16,
        };
        let values: Vec<u8> = (0..32).map(|at| at * 7).collect();
        let scales = [1., 2., 3., 4.];
        // Column 1, row 17: byte 16 + 8, the high half, in its second block.
        let value = f32::from((24u8 * 7) >> 4);
        let weights = blocks.floats(&values, &scales, &[]).unwrap_or_default();
        assert_eq!(weights.len(), 40);
        assert_eq!(weights[17 * 2 + 1], (value - 8.) * 4.);
        let zero_points = [0x21, 0x43];
        let weights = blocks
            .floats(&values, &scales, &zero_points)
            .unwrap_or_default();
        assert_eq!(weights[17 * 2 + 1], (value - 4.) * 4.);
        assert_eq!(blocks.floats(&values[1..], &scales, &[]), None);
        assert_eq!(blocks.floats(&values, &scales[1..], &[]), None);
        assert_eq!(blocks.floats(&values, &scales, &zero_points[1..]), None);
    }
}
