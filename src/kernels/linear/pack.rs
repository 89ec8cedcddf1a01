//! Weights in the order in which a product reads them.

use super::super::isa::Kind;
use super::{Activation, Columns, QuantizedLinear};

/// Sums of products of 9 and 9 bits stay within 32.
const MOST_ROWS: usize = 1 << 14;

/// The element type of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightType {
    /// -128 to 127.
    Int8,
    /// 0 to 255.
    Uint8,
}

/// A linear layer as a model file has it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// `[inner, outer]`, row-major.
    pub weights: &'a [u8],
    /// What the bytes of the weights are.
    pub weight_type: WeightType,
    /// Columns of the input.
    pub inner: usize,
    /// Columns of the product, before a gate takes half of them.
    pub outer: usize,
    /// One for all weights, or one a column.
    pub scales: &'a [f32],
    /// One for all weights, one a column, or none; in the type of the
    /// weights.
    pub zero_points: &'a [u8],
    /// One a column, or none.
    pub bias: &'a [f32],
    /// What becomes of the sums.
    pub activation: Activation,
}

impl Layer<'_> {
    /// Packs the layer for this machine. `None` where sizes do not fit each
    /// other or the kernel.
    pub fn pack(&self) -> Option<QuantizedLinear> {
        self.pack_for(Kind::best())
    }

    pub(super) fn pack_for(&self, kind: Kind) -> Option<QuantizedLinear> {
        let per_column = |count: usize| count == 1 || count == self.outer;
        let gated = self.activation.is_gated();
        let fits = self.weights.len() == self.inner.checked_mul(self.outer)?
            && (1..=MOST_ROWS).contains(&self.inner)
            && self.outer > 0
            && per_column(self.scales.len())
            && (self.zero_points.is_empty() || per_column(self.zero_points.len()))
            && (self.bias.is_empty() || self.bias.len() == self.outer)
            && !(gated && !self.outer.is_multiple_of(2));
        fits.then(|| self.packed(kind))
    }

    fn packed(&self, kind: Kind) -> QuantizedLinear {
        let layout = kind.layout();
        let order = self.order(layout.columns);
        let mut columns = Columns::default();
        let at = |values: &[f32], column: usize| match values {
            [] => 0.,
            [one] => *one,
            all => all[column],
        };
        for &column in &order {
            let given = column.map(|column| (at(self.scales, column), at(self.bias, column)));
            let (scale, bias) = given.unwrap_or_default();
            columns.scales.push(scale);
            // One bias for all is no bias of one column.
            columns
                .bias
                .push(if self.bias.is_empty() { 0. } else { bias });
        }
        let zeros: Vec<i32> = order
            .iter()
            .map(|&column| self.zero_point(column))
            .collect();
        if zeros.iter().any(|&zero| zero != 0) {
            columns.zeros = zeros;
        }
        let groups = self.inner.div_ceil(layout.group);
        let mut panels = Vec::with_capacity(groups * layout.group * order.len());
        let mut sums = Vec::new();
        for panel in order.chunks_exact(layout.columns) {
            let start = panels.len();
            for group in 0..groups {
                for &column in panel {
                    let rows = group * layout.group..(group + 1) * layout.group;
                    panels.extend(rows.map(|row| self.weight(row, column)));
                }
            }
            if !layout.centred {
                let packed = &panels[start..];
                sums.extend((0..layout.columns).map(|column| {
                    let groups = packed.chunks_exact(layout.group);
                    let own = groups.skip(column).step_by(layout.columns).flatten();
                    own.map(|&weight| i32::from(weight)).sum::<i32>()
                }));
            }
        }
        columns.sums = sums;
        QuantizedLinear {
            kind,
            activation: self.activation,
            inner: self.inner,
            outer: match self.activation.is_gated() {
                true => self.outer / 2,
                false => self.outer,
            },
            panels,
            columns,
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
        (0..gated.next_multiple_of(half) / half)
            .flat_map(|panel| {
                [0, gated].into_iter().flat_map(move |start| {
                    let columns = panel * half..(panel + 1) * half;
                    columns.map(move |at| (at < gated).then_some(start + at))
                })
            })
            .collect()
    }

    /// A weight in the range of `i8`; 0 beyond the layer.
    fn weight(&self, row: usize, column: Option<usize>) -> i8 {
        match column {
            Some(column) if row < self.inner => {
                self.signed(self.weights[row * self.outer + column])
            }
            _ => 0,
        }
    }

    fn zero_point(&self, column: Option<usize>) -> i32 {
        let (Some(column), zeros) = (column, self.zero_points) else {
            return 0;
        };
        let zero = match (zeros, self.weight_type) {
            ([], WeightType::Int8) => return 0,
            ([], WeightType::Uint8) => 0,
            ([one], _) => *one,
            (all, _) => all[column],
        };
        i32::from(self.signed(zero))
    }

    /// Both weights and zero points are moved alike, so that their difference
    /// stays.
    fn signed(&self, byte: u8) -> i8 {
        match self.weight_type {
            WeightType::Int8 => byte as i8,
            WeightType::Uint8 => (byte ^ 0x80) as i8,
        }
    }
}
