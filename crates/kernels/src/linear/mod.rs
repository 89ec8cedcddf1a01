//! Linear layers with weights of 8 bits, or floats.

mod outputs;
mod overflow;
mod pack;
mod product;
mod quantize;
mod tile;

use overflow::Rests;
pub use pack::{Layer, MOST_SUMMED, WeightType, Weights};
use product::Factors;
pub(super) use product::{Product, multiply_tiles};
pub(super) use quantize::{Quantization, RowScale, quantize_rows};

use std::ops::Range;

use super::aligned::Aligned;
use super::isa::{self, Kind};
use crate::threads::{Parallel, Shared, ranges};

/// What a linear layer does to its sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// Gaussian error linear unit.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// `gelu(left) * right`, where `left` is the first half of the columns
    /// and `right` the second.
    GatedGelu,
    /// The same with the approximation.
    GatedGeluTanh,
}

impl Activation {
    /// Whether two columns make one.
    pub fn is_gated(self) -> bool {
        matches!(self, Self::GatedGelu | Self::GatedGeluTanh)
    }
}

/// What share a scale of quantized activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Granularity {
    /// Each row has its own, so that no text depends on its neighbours.
    #[default]
    Row,
    /// All rows have one, as ONNX's `DynamicQuantizeLinear` defines it.
    Tensor,
}

/// The input of a linear layer.
#[derive(Clone, Copy, Debug)]
pub struct Activations<'a> {
    /// `[rows, inner]`.
    pub rows: &'a [f32],
    /// What shares a scale.
    pub granularity: Granularity,
}

impl<'a> Activations<'a> {
    /// Rows that are quantized one by one.
    pub fn by_row(rows: &'a [f32]) -> Self {
        Self {
            rows,
            granularity: Granularity::Row,
        }
    }
}

/// `activation((x * smoothing) @ weights + bias) (+ residual)`.
///
/// Where weights are of 8 bits, rows of `x` are quantized to 8 bits when they
/// come. Products are exact in integers; only quantization and the sums in
/// floats around them round. Weights are held once, in the order in which the
/// machine's instructions read them.
#[derive(Clone, Debug)]
pub struct Linear {
    kind: Kind,
    activation: Activation,
    /// Columns of the input.
    inner: usize,
    /// Columns of the output.
    outer: usize,
    /// One a column, in the order of the panels, rounded up to whole ones.
    bias: Aligned<f32>,
    /// One a column of the input, or none.
    smoothing: Vec<f32>,
    panels: Panels,
}

/// Weights, panel by panel.
#[derive(Clone, Debug)]
enum Panels {
    Floats(Aligned<f32>),
    Integers {
        weights: Aligned<i8>,
        columns: Columns,
    },
}

/// What belongs to each column of 8-bit weights, in the order of the panels.
#[derive(Clone, Debug, Default)]
struct Columns {
    scales: Aligned<f32>,
    /// Sums of weights, where levels are not centred; else nothing. One for
    /// each block of rows in a panel, `[panels, blocks, COLUMNS]`.
    sums: Aligned<i32>,
    /// Zero points of weights, where any is not 0; else nothing.
    zeros: Vec<i32>,
    /// What is left of weights that were made narrow, if they were.
    rests: Option<Rests>,
}

impl Linear {
    /// Columns of the input.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// Columns of the output.
    pub fn outer(&self) -> usize {
        self.outer
    }

    /// Whether its weights are of 8 bits, and rows of its input become so.
    pub fn is_quantized(&self) -> bool {
        matches!(self.panels, Panels::Integers { .. })
    }

    /// Writes `[rows, outer]` for `[rows, inner]`, and adds `residual`, which
    /// is of the shape of the output.
    ///
    /// A row with a value that is not finite becomes not a number, or what
    /// floats make of it.
    ///
    /// # Panics
    /// If the slices are not of these sizes.
    pub fn run(
        &self,
        activations: Activations<'_>,
        residual: Option<&[f32]>,
        out: &mut [f32],
        threads: &dyn Parallel,
    ) {
        let rows = activations.rows;
        let count = rows.len() / self.inner;
        assert_eq!(rows.len(), count * self.inner, "whole rows");
        assert_eq!(out.len(), count * self.outer, "a row for each");
        if let Some(residual) = residual {
            assert_eq!(residual.len(), out.len(), "a residual for each");
        }
        let layout = self.kind.layout();
        let mut levels = LEVELS.take();
        let scales;
        let (factors, row_size) = match &self.panels {
            Panels::Floats(panels) => {
                let factors = Factors::Floats { rows, panels };
                (factors, self.inner * size_of::<f32>())
            }
            Panels::Integers { weights, columns } => {
                let stride = self.inner.next_multiple_of(layout.group);
                let is_summed = !columns.zeros.is_empty();
                scales = self.quantize(activations, (stride, is_summed), &mut levels, threads);
                let factors = Factors::Integers {
                    levels: &levels,
                    scales: &scales,
                    stride,
                    weights,
                    columns,
                };
                (factors, stride * layout.level_size)
            }
        };
        let product = Product {
            linear: self,
            factors,
            residual,
            out: Shared::new(out),
        };
        let panels = self.bias.len() / layout.columns;
        let tasks = tasks((count, row_size), panels, layout.rows, threads.threads());
        threads.run(tasks.len(), &|at| {
            let (rows, panels) = tasks[at].clone();
            isa::multiply(self.kind, &product, rows, panels);
        });
        // Memory that was taken is never given back in browsers, so that what
        // is not needed is left to others.
        if !cfg!(target_family = "wasm") {
            LEVELS.set(levels);
        }
    }

    fn quantize(
        &self,
        activations: Activations<'_>,
        (stride, is_summed): (usize, bool),
        levels: &mut Aligned<u8>,
        threads: &dyn Parallel,
    ) -> Vec<RowScale> {
        let rows = activations.rows;
        let count = rows.len() / self.inner;
        let row_size = stride * self.kind.layout().level_size;
        // Never shorter, or it would be made zeros of again when it grows.
        levels.resize(levels.len().max(count * row_size), 0);
        let levels = &mut levels[..count * row_size];
        let blocks = stride.div_ceil((self.kind.layout().block)(stride));
        let mut scales = vec![RowScale::default(); count * blocks];
        let how = Quantization {
            columns: self.inner,
            stride,
            smoothing: &self.smoothing,
            range: match activations.granularity {
                Granularity::Row => None,
                Granularity::Tensor => Some(quantize::range(rows, &self.smoothing)),
            },
            is_summed,
        };
        let parts = ranges(
            count,
            (rows.len() / VALUES_A_TASK).min(4 * threads.threads()),
        );
        let shared = (Shared::new(levels), Shared::new(&mut scales));
        threads.run(parts.len(), &|at| {
            let part = parts[at].clone();
            let bytes = part.start * row_size..part.end * row_size;
            let values = &rows[part.start * self.inner..part.end * self.inner];
            let part = part.start * blocks..part.end * blocks;
            // SAFETY: the ranges do not overlap.
            let (levels, scales) = unsafe { (shared.0.part(bytes), shared.1.part(part)) };
            isa::quantize(self.kind, how, values, levels, scales);
        });
        scales
    }
}

thread_local! {
    /// Levels of the layer before, to be written over: new memory would have to
    /// be made zeros of first.
    static LEVELS: std::cell::Cell<Aligned<u8>> = const { std::cell::Cell::new(Aligned::new()) };
}

/// Fewest values that are quantized by a task: it takes microseconds to have
/// another thread do it.
const VALUES_A_TASK: usize = 16 << 10;
/// Bytes of rows that stay in a core's cache while panels go by.
const ROWS_IN_CACHE: usize = 256 << 10;
/// Tasks for each thread, so that none waits long for the others.
const TASKS_A_THREAD: usize = 6;

/// Rows and panels of each task, for so many rows of so many bytes, and tiles
/// of so many rows.
fn tasks(
    (rows, row_size): (usize, usize),
    panels: usize,
    tile: usize,
    threads: usize,
) -> Vec<(Range<usize>, Range<usize>)> {
    let cached = (ROWS_IN_CACHE / row_size.max(1)).max(1);
    let blocks = rows.div_ceil(cached).max(1);
    // Whole tiles, but for the last.
    let block = rows.div_ceil(blocks).next_multiple_of(tile).max(1);
    let blocks = rows.div_ceil(block);
    let parts = match threads {
        1 => 1,
        threads => (threads * TASKS_A_THREAD).div_ceil(blocks.max(1)),
    };
    let parts = ranges(panels, parts);
    (0..blocks)
        .flat_map(|at| {
            let rows = at * block..((at + 1) * block).min(rows);
            parts
                .iter()
                .map(move |panels| (rows.clone(), panels.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
