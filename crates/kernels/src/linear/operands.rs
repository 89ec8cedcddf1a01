//! What a product reads and writes.

use std::ops::Range;

use super::quantize::RowScale;
use super::{ColumnParameters, Linear};
use crate::threads::Shared;

/// A product, computed in parts.
pub(crate) struct Product<'a> {
    pub(super) linear: &'a Linear,
    pub(super) operands: Operands<'a>,
    pub(super) residual: Option<&'a [f32]>,
    pub(super) out: Window<'a>,
}

/// Where outputs are written.
pub(super) struct Window<'a> {
    /// `[rows, stride]`.
    pub(super) values: Shared<'a, f32>,
    pub(super) stride: usize,
    /// The panel whose columns are the first.
    pub(super) panel: usize,
}

#[derive(Clone, Copy)]
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

impl Operands<'_> {
    /// Some of that many rows.
    pub(super) fn part(self, part: Range<usize>, count: usize) -> Self {
        match self {
            Self::Floats { rows, panels } => {
                let inner = rows.len() / count;
                let rows = &rows[part.start * inner..part.end * inner];
                Self::Floats { rows, panels }
            }
            Self::Integers {
                quantized,
                largest,
                scales,
                stride,
                weights,
                columns,
            } => {
                let (size, blocks) = (quantized.len() / count, scales.len() / count);
                Self::Integers {
                    quantized: &quantized[part.start * size..part.end * size],
                    largest,
                    scales: &scales[part.start * blocks..part.end * blocks],
                    stride,
                    weights,
                    columns,
                }
            }
        }
    }
}
