//! The kernels, as they are called with an instruction set.

use std::ops::Range;

use super::super::attention::{Heads, attend_heads};
use super::super::layer_norm::{LayerNorm, normalize_rows};
use super::super::linear::{Product, QuantizeOptions, RowScale, multiply_tiles, quantize_rows};
use super::token::{Kernel, Narrow};
use super::{InstructionSet, Isa, Vector};

/// Declares a function that runs a kernel, generic over [`Isa`], with an
/// instruction set.
macro_rules! entry {
    (
        $(#[$doc:meta])*
        $name:ident, $entry:ident<$life:lifetime> =
            $kernel:ident($($argument:ident: $type:ty),* $(,)?)
    ) => {
        struct $entry<$life> {
            $($argument: $type,)*
        }

        impl Kernel for $entry<'_> {
            type Output = ();

            #[inline(always)]
            fn run<I: Isa>(self, isa: I) {
                $kernel(isa, $(self.$argument),*);
            }
        }

        $(#[$doc])*
        pub(in super::super) fn $name<$life>(set: InstructionSet, $($argument: $type),*) {
            set.run($entry { $($argument),* });
        }
    };
}

entry! {
    /// Quantizes rows, see [`quantize_rows`], to quantized values of
    /// [`quantized_size`](Layout::quantized_size) bytes.
    quantize, Quantize<'a> = quantize_rows(
        options: QuantizeOptions<'a>,
        rows: &'a [f32],
        quantized: &'a mut [u8],
        scales: &'a mut [RowScale],
    )
}

entry! {
    /// Multiplies rows and panels, see [`multiply_tiles`].
    multiply, Multiply<'a> = multiply_tiles(
        product: &'a Product<'a>,
        rows: Range<usize>,
        panels: Range<usize>,
    )
}

entry! {
    /// Computes attention heads, see [`attend_heads`].
    attend, Attend<'a> = attend_heads(heads: &'a Heads<'a>, which: Range<usize>)
}

entry! {
    /// Layer normalization, see [`normalize_rows`].
    normalize, NormalizeRows<'a> = normalize_rows(
        normalize: &'a LayerNorm<'a>,
        rows: &'a [f32],
        out: &'a mut [f32],
    )
}

/// How an instruction set lays out panels and quantized rows.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Layout {
    /// Floats in a vector.
    pub(in super::super) lanes: usize,
    /// Rows of weights in a group.
    pub(in super::super) group: usize,
    /// Columns of a panel.
    pub(in super::super) columns: usize,
    /// Rows of a tile.
    pub(in super::super) rows: usize,
    /// Values of a row that share a scale, of a row of the given length.
    pub(in super::super) block_size: fn(usize) -> usize,
    /// Bytes of a quantized value.
    pub(in super::super) quantized_size: usize,
    /// Whether quantized values are stored less the zero point of their row.
    pub(in super::super) centred: bool,
    /// Bounds of weights for the faster product, where there is one.
    pub(in super::super) narrow: Option<Narrow>,
    /// The largest quantized value.
    #[cfg(test)]
    pub(in super::super) max_quantized: f32,
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
            #[cfg(test)]
            max_quantized: I::MAX_QUANTIZED,
        }
    }
}

impl InstructionSet {
    pub(in super::super) fn layout(self) -> Layout {
        self.run(LayoutOf)
    }
}
