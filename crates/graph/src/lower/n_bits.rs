//! Weights of ONNX Runtime's `MatMulNBits`: integers of a few bits, in blocks
//! that share a scale.
//!
//! Source of the layout: ONNX Runtime, docs/ContribOperators.md.

use crate::onnx::NodeProto;

/// Whether a node is a `MatMulNBits` whose weights can be read here.
pub(super) fn is_product(node: &NodeProto) -> bool {
    node.is_contrib("MatMulNBits")
        && matches!(node.int("bits", 4), 2 | 4 | 8)
        // In the layout of a device.
        && node.int("weight_prepacked", 0) == 0
        // Blocks may be permuted; we do not support that.
        && node.input.get(4).is_none_or(String::is_empty)
}

/// The sizes of a product.
pub(super) struct Blocks {
    pub(super) inner: usize,
    pub(super) outer: usize,
    bits: usize,
    /// The number of weights of a column that share a scale.
    size: usize,
}

/// The values that stand for 0, one for each block.
pub(super) enum ZeroPoints<'a> {
    /// Half of the values are below it.
    Middle,
    /// Integers as many bits wide as the weights, those of a column in whole bytes.
    Packed(&'a [u8]),
    Floats(&'a [f32]),
}

impl Blocks {
    pub(super) fn of(node: &NodeProto) -> Option<Self> {
        let size = |name, default| usize::try_from(node.int(name, default)).ok();
        let blocks = Self {
            inner: size("K", 0)?,
            outer: size("N", 0)?,
            bits: size("bits", 4)?,
            size: size("block_size", 0)?,
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
        zero_points: &ZeroPoints<'_>,
    ) -> Option<Vec<f32>> {
        let blocks = self.inner.div_ceil(self.size);
        let count = blocks.checked_mul(self.outer)?;
        let per_byte = 8 / self.bits;
        let column_bytes = blocks.checked_mul(self.size / per_byte)?;
        let zero_point_bytes = blocks.div_ceil(per_byte);
        let zero_points_fit = match zero_points {
            ZeroPoints::Middle => true,
            ZeroPoints::Packed(packed) => {
                Some(packed.len()) == zero_point_bytes.checked_mul(self.outer)
            }
            ZeroPoints::Floats(floats) => floats.len() == count,
        };
        let fits = Some(values.len()) == column_bytes.checked_mul(self.outer)
            && scales.len() == count
            && zero_points_fit;
        (fits && self.outer > 0).then_some(())?;
        let middle = f32::from(1u8 << (self.bits - 1));
        let weight = |row: usize, column: usize| {
            let block = row / self.size;
            let zero = match zero_points {
                ZeroPoints::Middle => middle,
                ZeroPoints::Packed(packed) => {
                    self.value(&packed[column * zero_point_bytes..], block)
                }
                ZeroPoints::Floats(floats) => floats[column * blocks + block],
            };
            let value = self.value(&values[column * column_bytes..], row);
            (value - zero) * scales[column * blocks + block]
        };
        let weights = (0..self.inner)
            .flat_map(|row| (0..self.outer).map(move |column| (row, column)))
            .map(|(row, column)| weight(row, column));
        Some(weights.collect())
    }

    /// The integer at a position; the lowest bits of a byte come first.
    fn value(&self, bytes: &[u8], at: usize) -> f32 {
        let per_byte = 8 / self.bits;
        let mask = u8::MAX >> (8 - self.bits);
        f32::from((bytes[at / per_byte] >> (at % per_byte * self.bits)) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(bits: usize) -> Blocks {
        Blocks {
            inner: 20,
            outer: 2,
            bits,
            size: 16,
        }
    }

    const SCALES: [f32; 4] = [1., 2., 3., 4.];

    #[test]
    fn values_are_read_in_the_order_of_the_operator() {
        let blocks = blocks(4);
        let values: Vec<u8> = (0..32).map(|at| at * 7).collect();
        // Column 1, row 17: byte 16 + 8, the high half, in its second block.
        let value = f32::from((24u8 * 7) >> 4);
        let read = |zero_points| blocks.floats(&values, &SCALES, &zero_points);
        let weights = read(ZeroPoints::Middle).unwrap_or_default();
        assert_eq!(weights.len(), 40);
        assert_eq!(weights[17 * 2 + 1], (value - 8.) * 4.);
        let weights = read(ZeroPoints::Packed(&[0x21, 0x43])).unwrap_or_default();
        assert_eq!(weights[17 * 2 + 1], (value - 4.) * 4.);
        let weights = read(ZeroPoints::Floats(&[0., 1., 2., 2.5])).unwrap_or_default();
        assert_eq!(weights[17 * 2 + 1], (value - 2.5) * 4.);
        assert_eq!(read(ZeroPoints::Packed(&[0x21])), None);
        assert_eq!(read(ZeroPoints::Floats(&[0.; 3])), None);
        let middle = ZeroPoints::Middle;
        assert_eq!(blocks.floats(&values[1..], &SCALES, &middle), None);
        assert_eq!(blocks.floats(&values, &SCALES[1..], &middle), None);
    }

    #[test]
    fn values_of_other_widths_are_read() {
        let values: Vec<u8> = (0..64).map(|at| at * 3).collect();
        let weights = blocks(8).floats(&values, &SCALES, &ZeroPoints::Middle);
        // Column 1, row 17: byte 32 + 17.
        let expected = (f32::from(49u8 * 3) - 128.) * 4.;
        assert_eq!(weights.unwrap_or_default()[17 * 2 + 1], expected);
        let packed = ZeroPoints::Packed(&[1, 2, 3, 4]);
        let weights = blocks(8).floats(&values, &SCALES, &packed);
        let expected = (f32::from(49u8 * 3) - 4.) * 4.;
        assert_eq!(weights.unwrap_or_default()[17 * 2 + 1], expected);

        let weights = blocks(2).floats(&values[..16], &SCALES, &ZeroPoints::Packed(&[0, 0b0110]));
        // Column 1, row 17: byte 8 + 4, its second pair of bits.
        let value = f32::from((12u8 * 3) >> 2 & 3);
        assert_eq!(weights.unwrap_or_default()[17 * 2 + 1], (value - 1.) * 4.);
    }
}
