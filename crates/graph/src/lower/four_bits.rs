//! Weights of 4 bits in blocks, as ONNX Runtime's `MatMulNBits` has them.
//!
//! Source of the layout: ONNX Runtime, docs/ContribOperators.md.

use super::super::CONTRIB;
use super::super::onnx::NodeProto;

/// The level that stands for 0 without zero points.
const MIDDLE: u8 = 8;

/// Whether a node is such a product with weights that are known here.
pub(super) fn is_product(node: &NodeProto) -> bool {
    node.domain.as_deref() == Some(CONTRIB)
        && node.op_type.as_deref() == Some("MatMulNBits")
        && node.int("bits", 4) == 4
        // An order of groups other than their own.
        && node.input.get(4).is_none_or(String::is_empty)
}

/// The sizes of a product.
pub(super) struct Blocks {
    pub(super) inner: usize,
    pub(super) outer: usize,
    /// Weights of a column that share a scale.
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
        // The operator's own limit; whole bytes.
        (blocks.size >= 16 && blocks.size.is_power_of_two()).then_some(blocks)
    }

    /// `[inner, outer]` of floats: `(level - zero) * scale`. `None` if there
    /// are not as many of each as the sizes say.
    pub(super) fn floats(&self, levels: &[u8], scales: &[f32], zeros: &[u8]) -> Option<Vec<f32>> {
        let blocks = self.inner.div_ceil(self.size);
        let of_column = blocks.checked_mul(self.size / 2)?;
        let zeros_of_column = blocks.div_ceil(2);
        let fits = Some(levels.len()) == of_column.checked_mul(self.outer)
            && Some(scales.len()) == blocks.checked_mul(self.outer)
            && (zeros.is_empty() || Some(zeros.len()) == zeros_of_column.checked_mul(self.outer));
        (fits && self.outer > 0).then_some(())?;
        let weight = |row: usize, column: usize| {
            let block = row / self.size;
            let zero = match zeros {
                [] => MIDDLE,
                zeros => half(&zeros[column * zeros_of_column..], block),
            };
            let level = half(&levels[column * of_column..], row);
            (f32::from(level) - f32::from(zero)) * scales[column * blocks + block]
        };
        let weights = (0..self.inner)
            .flat_map(|row| (0..self.outer).map(move |column| (row, column)))
            .map(|(row, column)| weight(row, column));
        Some(weights.collect())
    }
}

/// The value at a place, two a byte, the low one first.
fn half(bytes: &[u8], at: usize) -> u8 {
    (bytes[at / 2] >> (4 * (at % 2))) & 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_taken_in_the_operators_order() {
        let blocks = Blocks {
            inner: 20,
            outer: 2,
            size: 16,
        };
        let levels: Vec<u8> = (0..32).map(|at| at * 7).collect();
        let scales = [1., 2., 3., 4.];
        // Column 1, row 17: byte 16 + 8, the high half, in its second block.
        let level = f32::from((24u8 * 7) >> 4);
        let weights = blocks.floats(&levels, &scales, &[]).unwrap_or_default();
        assert_eq!(weights.len(), 40);
        assert_eq!(weights[17 * 2 + 1], (level - 8.) * 4.);
        let zeros = [0x21, 0x43];
        let weights = blocks.floats(&levels, &scales, &zeros).unwrap_or_default();
        assert_eq!(weights[17 * 2 + 1], (level - 4.) * 4.);
        assert_eq!(blocks.floats(&levels[1..], &scales, &[]), None);
        assert_eq!(blocks.floats(&levels, &scales[1..], &[]), None);
        assert_eq!(blocks.floats(&levels, &scales, &zeros[1..]), None);
    }
}
