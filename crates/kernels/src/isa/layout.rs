//! Memory layouts of an instruction set.

use super::token::{Kernel, Narrow};
use super::{InstructionSet, Isa, Vector};

/// How an instruction set lays out panels and quantized rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Floats in a vector.
    pub(crate) lanes: usize,
    /// Rows of weights in a group.
    pub(crate) group: usize,
    /// Columns of a panel.
    pub(crate) columns: usize,
    /// Rows of a tile.
    pub(crate) rows: usize,
    /// Values of a row that share a scale, of a row of the given length.
    pub(crate) block_size: fn(usize) -> usize,
    /// Bytes of a quantized value.
    pub(crate) quantized_size: usize,
    /// Whether quantized values are stored less the zero point of their row.
    pub(crate) centred: bool,
    /// The largest quantized value of exact products.
    pub(crate) max_quantized: i32,
    /// Bounds of the faster product, where there is one.
    pub(crate) narrow: Option<Narrow>,
    /// Whether products take signed integers of 8 bits as left factors, less the
    /// zero point.
    pub(crate) takes_signed: bool,
}

struct LayoutOf;

impl Kernel for LayoutOf {
    type Output = Layout;

    fn run<I: Isa>(self, _: I) -> Layout {
        Layout {
            lanes: I::Vector::LANES,
            group: I::GROUP,
            columns: I::COLUMNS,
            rows: I::ROWS,
            block_size: I::block_size,
            quantized_size: size_of::<I::Quantized>(),
            centred: I::CENTRED,
            narrow: I::NARROW,
            takes_signed: I::MAX_QUANTIZED == 255 || I::IS_WIDE,
            max_quantized: I::MAX_QUANTIZED,
        }
    }
}

impl InstructionSet {
    pub(crate) fn layout(self) -> Layout {
        self.run(LayoutOf)
    }
}
