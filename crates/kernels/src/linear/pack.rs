//! Weights in the order in which a product reads them.

use super::super::aligned::Aligned;
use super::super::isa::{Kind, Layout};
use super::overflow::Rests;
use super::{Activation, Columns, Linear, Panels};

/// The most columns of a layer's input where weights have 8 bits: sums of
/// products of 9 and 9 bits stay within 32.
pub const MOST_SUMMED: usize = 1 << 14;

/// The element type of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightType {
    /// -128 to 127.
    Int8,
    /// 0 to 255.
    Uint8,
}

/// Weights as a model file has them: `[inner, outer]`, row-major.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Weights<'a> {
    /// 32-bit floats.
    Floats(&'a [f32]),
    /// `(weight - zero_point) * scale`
    Integers {
        /// One byte a weight.
        bytes: &'a [u8],
        /// What the bytes are.
        weight_type: WeightType,
        /// One for all weights, or one a column.
        scales: &'a [f32],
        /// One for all weights, one a column, or none; in the type of the
        /// weights.
        zero_points: &'a [u8],
    },
}

/// A linear layer as a model file has it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The matrix.
    pub weights: Weights<'a>,
    /// Columns of the input.
    pub inner: usize,
    /// Columns of the product, before a gate takes half of them.
    pub outer: usize,
    /// What columns of the input are multiplied by before they are quantized,
    /// or none; for weights of 8 bits alone.
    pub smoothing: &'a [f32],
    /// One a column, or none.
    pub bias: &'a [f32],
    /// What becomes of the sums.
    pub activation: Activation,
}

impl Layer<'_> {
    /// Packs the layer for this machine. `None` where sizes do not fit each
    /// other or the kernel.
    pub fn pack(&self) -> Option<Linear> {
        self.pack_for(Kind::best())
    }

    pub(super) fn pack_for(&self, kind: Kind) -> Option<Linear> {
        let per_column = |count: usize| count == 1 || count == self.outer;
        let size = self.inner.checked_mul(self.outer)?;
        let weights_fit = match self.weights {
            Weights::Floats(weights) => weights.len() == size && self.smoothing.is_empty(),
            Weights::Integers {
                bytes,
                scales,
                zero_points,
                ..
            } => {
                bytes.len() == size
                    && self.inner <= MOST_SUMMED
                    && (self.smoothing.is_empty() || self.smoothing.len() == self.inner)
                    && per_column(scales.len())
                    && (zero_points.is_empty() || per_column(zero_points.len()))
            }
        };
        let bias_fits = self.bias.is_empty() || self.bias.len() == self.outer;
        let gate_fits = !self.activation.is_gated() || self.outer.is_multiple_of(2);
        let fits = size > 0 && weights_fit && bias_fits && gate_fits;
        fits.then(|| self.packed(kind))
    }

    fn packed(&self, kind: Kind) -> Linear {
        let layout = kind.layout();
        let order = self.order(layout.columns);
        let bias = order.iter().map(|&column| match column {
            Some(column) if !self.bias.is_empty() => self.bias[column],
            _ => 0.,
        });
        let panels = match self.weights {
            Weights::Floats(weights) => {
                let weight = |row, column: Option<usize>| {
                    column.map_or(0., |column| weights[row * self.outer + column])
                };
                let panels = self.panels(&order, (layout.columns, 1), weight);
                Panels::Floats(panels)
            }
            Weights::Integers {
                bytes, weight_type, ..
            } => {
                let weight = |row, column| match column {
                    Some(column) if row < self.inner => {
                        weight_type.signed(bytes[row * self.outer + column])
                    }
                    _ => 0,
                };
                let shape = (layout.columns, layout.group);
                let mut weights = self.panels(&order, shape, weight);
                let mut columns = self.columns(&order, &layout, &weights);
                if let Some(narrow) = layout.narrow {
                    let stride = self.inner.next_multiple_of(layout.group);
                    let sizes = [stride, (layout.block)(stride)].map(|rows| rows * layout.columns);
                    columns.rests = Rests::split(&mut weights, sizes.into(), shape, narrow);
                }
                Panels::Integers { weights, columns }
            }
        };
        Linear {
            kind,
            activation: self.activation,
            inner: self.inner,
            outer: match self.activation.is_gated() {
                true => self.outer / 2,
                false => self.outer,
            },
            bias: bias.collect(),
            smoothing: self.smoothing.to_vec(),
            panels,
        }
    }

    /// Weights in panels of so many columns, by groups of so many rows.
    fn panels<T: Copy + Default>(
        &self,
        order: &[Option<usize>],
        (columns, group): (usize, usize),
        weight: impl Fn(usize, Option<usize>) -> T,
    ) -> Aligned<T> {
        let rows = self.inner.next_multiple_of(group);
        let mut panels = Aligned::new();
        panels.resize(rows * order.len(), T::default());
        let mut groups = panels.chunks_exact_mut(group);
        for panel in order.chunks_exact(columns) {
            for first in (0..rows).step_by(group) {
                for (&column, places) in panel.iter().zip(&mut groups) {
                    for (row, place) in places.iter_mut().enumerate() {
                        *place = weight(first + row, column);
                    }
                }
            }
        }
        panels
    }

    fn columns(&self, order: &[Option<usize>], layout: &Layout, weights: &[i8]) -> Columns {
        let Weights::Integers {
            weight_type,
            scales,
            zero_points,
            ..
        } = self.weights
        else {
            return Columns::default();
        };
        let scale = |column: usize| match scales {
            [one] => *one,
            all => all[column],
        };
        let zero = |column: usize| match zero_points {
            [] => i32::from(weight_type.signed(0)),
            [one] => i32::from(weight_type.signed(*one)),
            all => i32::from(weight_type.signed(all[column])),
        };
        let zeros: Vec<i32> = order.iter().map(|at| at.map_or(0, zero)).collect();
        let stride = self.inner.next_multiple_of(layout.group);
        let panel = stride * layout.columns;
        let block = (layout.block)(stride) * layout.columns;
        let sum = |block: &[i8], column: usize| -> i32 {
            let groups = block.chunks_exact(layout.group);
            let own = groups.skip(column).step_by(layout.columns).flatten();
            own.map(|&weight| i32::from(weight)).sum()
        };
        let sums = weights
            .chunks_exact(panel)
            .flat_map(|panel| panel.chunks(block))
            .flat_map(|block| (0..layout.columns).map(move |column| sum(block, column)));
        Columns {
            scales: order.iter().map(|at| at.map_or(0., scale)).collect(),
            sums: match layout.centred {
                true => Aligned::new(),
                false => sums.collect(),
            },
            zeros: match zeros.iter().all(|&zero| zero == 0) {
                true => Vec::new(),
                false => zeros,
            },
            rests: None,
        }
    }

    /// Which column is where in the panels; those of a gate are in the second
    /// half of the panel of those that they gate.
    fn order(&self, width: usize) -> Vec<Option<usize>> {
        if !self.activation.is_gated() {
            let count = self.outer.next_multiple_of(width);
            return (0..count)
                .map(|at| (at < self.outer).then_some(at))
                .collect();
        }
        let (half, gated) = (width / 2, self.outer / 2);
        (0..gated.div_ceil(half))
            .flat_map(|panel| {
                [0, gated].into_iter().flat_map(move |start| {
                    let columns = panel * half..(panel + 1) * half;
                    columns.map(move |at| (at < gated).then_some(start + at))
                })
            })
            .collect()
    }
}

impl WeightType {
    /// In the range of `i8`. Weights and zero points are moved alike, so that
    /// their difference stays.
    pub(in super::super) fn signed(self, byte: u8) -> i8 {
        match self {
            Self::Int8 => byte as i8,
            Self::Uint8 => (byte ^ 0x80) as i8,
        }
    }
}
