//! Packs weights into panels, in the order in which the product reads them.

use super::super::aligned::Aligned;
use super::super::isa::{InstructionSet, Layout, Narrow};
use super::overflow::{OverflowCorrections, PanelLayout};
use super::{Activation, ColumnParameters, Linear, Panels};

/// The largest [`Layer::inner`] with 8-bit weights: that many products of two 9-bit
/// numbers fit into a 32-bit sum.
pub const MAX_INT8_INNER: usize = 1 << 14;

/// The element type of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightType {
    /// -128 to 127.
    Int8,
    /// 0 to 255.
    Uint8,
}

/// Weights as stored in a model file: `[inner, outer]`, row-major.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Weights<'a> {
    /// 32-bit floats.
    Floats(&'a [f32]),
    /// `(weight - zero_point) * scale`
    Integers {
        /// One byte a weight.
        bytes: &'a [u8],
        /// How bytes are read.
        weight_type: WeightType,
        /// One for all weights, or one per column.
        scales: &'a [f32],
        /// One for all weights, one per column, or none; of the same type as the
        /// weights.
        zero_points: &'a [u8],
    },
}

/// A linear layer as stored in a model file.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// `[inner, outer]`.
    pub weights: Weights<'a>,
    /// Columns of the input.
    pub inner: usize,
    /// Columns of the product. A gated activation outputs half as many.
    pub outer: usize,
    /// Factors of the input's columns, applied before quantization; or empty.
    /// Only for 8-bit weights.
    pub smoothing: &'a [f32],
    /// One per column, or empty.
    pub bias: &'a [f32],
    /// Applied to the sums with their bias.
    pub activation: Activation,
}

impl Layer<'_> {
    /// Packs the layer for this machine. Returns `None` if sizes contradict each
    /// other, or exceed the kernel's limits.
    pub fn pack(&self) -> Option<Linear> {
        self.pack_for(InstructionSet::best())
    }

    pub(super) fn pack_for(&self, set: InstructionSet) -> Option<Linear> {
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
                    && self.inner <= MAX_INT8_INNER
                    && (self.smoothing.is_empty() || self.smoothing.len() == self.inner)
                    && per_column(scales.len())
                    && (zero_points.is_empty() || per_column(zero_points.len()))
            }
        };
        let bias_fits = self.bias.is_empty() || self.bias.len() == self.outer;
        let gate_fits = !self.activation.is_gated() || self.outer.is_multiple_of(2);
        let fits = size > 0 && weights_fit && bias_fits && gate_fits;
        fits.then(|| self.packed(set))
    }

    fn packed(&self, set: InstructionSet) -> Linear {
        let layout = set.layout();
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
                let panels = self.panels(&order, &Layout { group: 1, ..layout }, weight);
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
                let mut weights = self.panels(&order, &layout, weight);
                let mut columns = self.columns(&order, &layout, &weights);
                let is_long = |narrow: &Narrow| self.inner >= narrow.min_row;
                if let Some(narrow) = layout.narrow.filter(is_long) {
                    let stride = self.inner.next_multiple_of(layout.group);
                    let panels = PanelLayout {
                        panel: stride * layout.columns,
                        block: (layout.block_size)(stride) * layout.columns,
                        columns: layout.columns,
                        group: layout.group,
                    };
                    columns.overflow = OverflowCorrections::split(&mut weights, panels, narrow);
                }
                Panels::Integers { weights, columns }
            }
        };
        Linear {
            set,
            activation: self.activation,
            inner: self.inner,
            outer: if self.activation.is_gated() {
                self.outer / 2
            } else {
                self.outer
            },
            bias: bias.collect(),
            smoothing: self.smoothing.to_vec(),
            panels,
        }
    }

    /// `[panels, groups, COLUMNS, GROUP]`, where `order` has the column of the
    /// weights for each column of the panels, and `None` for padding.
    fn panels<T: Copy + Default>(
        &self,
        order: &[Option<usize>],
        layout: &Layout,
        weight: impl Fn(usize, Option<usize>) -> T,
    ) -> Aligned<T> {
        let (columns, group) = (layout.columns, layout.group);
        let rows = self.inner.next_multiple_of(group);
        let mut panels = Aligned::new();
        panels.resize(rows * order.len(), T::default());
        let mut groups = panels.chunks_exact_mut(group);
        for panel in order.chunks_exact(columns) {
            for first in (0..rows).step_by(group) {
                for (&column, group) in panel.iter().zip(&mut groups) {
                    for (row, packed) in group.iter_mut().enumerate() {
                        *packed = weight(first + row, column);
                    }
                }
            }
        }
        panels
    }

    fn columns(
        &self,
        order: &[Option<usize>],
        layout: &Layout,
        weights: &[i8],
    ) -> ColumnParameters {
        let Weights::Integers {
            weight_type,
            scales,
            zero_points,
            ..
        } = self.weights
        else {
            return ColumnParameters::default();
        };
        let scale = |column: usize| match scales {
            [one] => *one,
            all => all[column],
        };
        let zero_point = |column: usize| match zero_points {
            [] => i32::from(weight_type.signed(0)),
            [one] => i32::from(weight_type.signed(*one)),
            all => i32::from(weight_type.signed(all[column])),
        };
        let zero_points: Vec<i32> = order.iter().map(|at| at.map_or(0, zero_point)).collect();
        let stride = self.inner.next_multiple_of(layout.group);
        let panel = stride * layout.columns;
        let block = (layout.block_size)(stride) * layout.columns;
        let sum = |block: &[i8], column: usize| -> i32 {
            let groups = block.chunks_exact(layout.group);
            let of_column = groups.skip(column).step_by(layout.columns).flatten();
            of_column.map(|&weight| i32::from(weight)).sum()
        };
        let sums = weights
            .chunks_exact(panel)
            .flat_map(|panel| panel.chunks(block))
            .flat_map(|block| (0..layout.columns).map(move |column| sum(block, column)));
        ColumnParameters {
            scales: order.iter().map(|at| at.map_or(0., scale)).collect(),
            weight_sums: if layout.centred {
                Aligned::new()
            } else {
                sums.collect()
            },
            zero_points: if zero_points.iter().all(|&zero_point| zero_point == 0) {
                Vec::new()
            } else {
                zero_points
            },
            overflow: None,
        }
    }

    /// The column of the weights for each column of the panels, `None` for padding.
    /// Gates are in the second half of the panel whose first half they multiply.
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
    /// Shifts a byte into the range of `i8`. Weights and zero points are shifted
    /// alike, so their difference stays the same.
    pub(in super::super) fn signed(self, byte: u8) -> i8 {
        match self {
            Self::Int8 => byte as i8,
            Self::Uint8 => (byte ^ 0x80) as i8,
        }
    }
}
