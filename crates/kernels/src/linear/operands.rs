//! What a product reads and writes.

use super::quantize::RowScale;
use super::{ColumnParameters, Linear};
use crate::threads::Shared;

/// A product, computed in parts.
pub(crate) struct Product<'a> {
    pub(super) linear: &'a Linear,
    pub(super) operands: Operands<'a>,
    pub(super) residual: Option<&'a [f32]>,
    /// `[rows, outer]`.
    pub(super) out: Shared<'a, f32>,
}

pub(super) enum Operands<'a> {
    Floats {
        /// `[rows, inner]`.
        rows: &'a [f32],
        panels: &'a [f32],
    },
    Integers {
        /// `[rows, stride]` of [`Isa::Quantized`].
        quantized: &'a [u8],
        /// The largest quantized value.
        largest: i32,
        /// `[rows, blocks]`.
        scales: &'a [RowScale],
        stride: usize,
        weights: &'a [i8],
        columns: &'a ColumnParameters,
    },
}
