//! Linear layers with 8-bit or 32-bit float weights.

mod activation;
mod operands;
mod outputs;
mod overflow;
mod pack;
mod pool;
mod product;
mod quantize;
mod tile;

pub use activation::{Activation, Function};
use operands::{Operands, Product, Window};
use overflow::OverflowCorrections;
pub use pack::{Layer, MAX_INT8_INNER, WeightType, Weights};
pub use pool::{Join, Texts, TokenPooling};
use product::multiply;
use quantize::{QuantizeOptions, RowScale, quantize_with};

use std::ops::Range;

use super::aligned::Aligned;
use super::isa::InstructionSet;
use crate::threads::{Parallel, Shared, ranges};

/// Which activations share a quantization scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Granularity {
    /// Each row has its own, so that a text's vectors do not depend on the other
    /// texts of its batch.
    #[default]
    Row,
    /// One for all rows, as in ONNX's `DynamicQuantizeLinear`.
    Tensor,
}

/// The input of a linear layer.
#[derive(Clone, Copy, Debug)]
pub struct Activations<'a> {
    /// `[rows, inner]`.
    pub rows: &'a [f32],
    /// Which of them share a scale.
    pub granularity: Granularity,
}

impl<'a> Activations<'a> {
    /// Rows with a scale each.
    pub fn by_row(rows: &'a [f32]) -> Self {
        Self {
            rows,
            granularity: Granularity::Row,
        }
    }
}

/// `activation((x * smoothing) @ weights + bias) (+ residual)`.
///
/// If the weights have 8 bits, each row of `x` is quantized to 8 bits at run
/// time. Integer products and sums are exact; only quantization and the float
/// operations around them round. Weights are stored once, in the order in which
/// this machine's instructions read them.
#[derive(Clone, Debug)]
pub struct Linear {
    set: InstructionSet,
    activation: Activation,
    /// Columns of the input.
    inner: usize,
    /// Columns of the output.
    outer: usize,
    /// `[panels, COLUMNS]`, padded with zeros.
    bias: Aligned<f32>,
    /// `[inner]`, or empty.
    smoothing: Vec<f32>,
    panels: Panels,
}

/// Weights, panel by panel.
#[derive(Clone, Debug)]
enum Panels {
    Floats(Aligned<f32>),
    Integers {
        weights: Aligned<i8>,
        columns: ColumnParameters,
    },
}

/// Parameters of the columns of 8-bit weights, `[panels, COLUMNS]`.
#[derive(Clone, Debug, Default)]
struct ColumnParameters {
    scales: Aligned<f32>,
    /// `[panels, blocks, COLUMNS]`: sums of weights, for each block of the input's
    /// columns. Empty if quantized activations have their zero point subtracted.
    weight_sums: Aligned<i32>,
    /// Empty if all are 0.
    zero_points: Vec<i32>,
    /// Present if weights were reduced for a product with 16-bit sums.
    overflow: Option<OverflowCorrections>,
}

/// How quantized activations are stored.
#[derive(Clone, Copy)]
struct QuantizedLayout {
    /// Values from one row to the next.
    stride: usize,
    /// The largest value.
    largest: i32,
    /// Whether each row's sum is needed.
    is_summed: bool,
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

    /// Whether weights have 8 bits; if so, the input is quantized to 8 bits too.
    pub fn is_quantized(&self) -> bool {
        matches!(self.panels, Panels::Integers { .. })
    }

    /// The largest quantized value of the input. With a scale for all rows, values are
    /// those of `DynamicQuantizeLinear`, even if there is a faster product for less.
    fn max_quantized(&self, granularity: Granularity) -> i32 {
        let overflow = match (&self.panels, granularity) {
            (Panels::Integers { columns, .. }, Granularity::Row) => columns.overflow.as_ref(),
            _ => None,
        };
        match overflow {
            Some(corrections) => corrections.largest(),
            None => self.set.layout().max_quantized,
        }
    }

    /// Computes `[rows, outer]` from `[rows, inner]`, and adds `residual`, which
    /// has the shape of the output.
    ///
    /// If 8-bit weights meet a row with NaN or an infinity, its output is NaN.
    ///
    /// # Panics
    /// If the slices do not have these shapes.
    pub fn run(
        &self,
        activations: Activations<'_>,
        residual: Option<&[f32]>,
        out: &mut [f32],
        threads: &dyn Parallel,
    ) {
        let rows = activations.rows;
        let count = rows.len() / self.inner;
        assert_eq!(rows.len(), count * self.inner, "input of whole rows");
        assert_eq!(
            out.len(),
            count * self.outer,
            "one output row per input row"
        );
        if let Some(residual) = residual {
            assert_eq!(residual.len(), out.len(), "residual in the output's shape");
        }
        let layout = self.set.layout();
        self.with_operands(activations, threads, |operands, row_size| {
            let product = Product {
                linear: self,
                operands,
                residual,
                out: Window {
                    values: Shared::new(out),
                    stride: self.outer,
                    panel: 0,
                },
            };
            let tasks = Partition {
                rows: count,
                row_size,
                panels: self.bias.len() / layout.columns,
                tile_rows: layout.rows,
            }
            .tasks(threads.threads());
            threads.run(tasks.len(), &|at| {
                let Task { rows, panels } = tasks[at].clone();
                multiply(self.set, &product, rows, panels);
            });
        });
    }

    /// Calls `run` with what a product reads, and the bytes of a row.
    fn with_operands(
        &self,
        activations: Activations<'_>,
        threads: &dyn Parallel,
        run: impl FnOnce(Operands<'_>, usize),
    ) {
        let rows = activations.rows;
        let layout = self.set.layout();
        let mut quantized = QUANTIZED.take();
        let scales;
        let (operands, row_size) = match &self.panels {
            Panels::Floats(panels) => {
                let operands = Operands::Floats { rows, panels };
                (operands, self.inner * size_of::<f32>())
            }
            Panels::Integers { weights, columns } => {
                let stride = self.inner.next_multiple_of(layout.group);
                let largest = self.max_quantized(activations.granularity);
                let shape = QuantizedLayout {
                    stride,
                    largest,
                    is_summed: !columns.zero_points.is_empty(),
                };
                scales = self.quantize(activations, shape, &mut quantized, threads);
                let row_size = stride * layout.quantized_size;
                let operands = Operands::Integers {
                    quantized: &quantized[..rows.len() / self.inner * row_size],
                    largest,
                    scales: &scales,
                    stride,
                    weights,
                    columns,
                };
                (operands, row_size)
            }
        };
        run(operands, row_size);
        // WebAssembly memory never shrinks, so the buffer is freed for others to
        // use.
        if !cfg!(target_family = "wasm") {
            QUANTIZED.set(quantized);
        }
    }

    fn quantize(
        &self,
        activations: Activations<'_>,
        shape: QuantizedLayout,
        quantized: &mut Aligned<u8>,
        threads: &dyn Parallel,
    ) -> Vec<RowScale> {
        let rows = activations.rows;
        let count = rows.len() / self.inner;
        let row_size = shape.stride * self.set.layout().quantized_size;
        // Never shrunk: growing again would fill it with zeros again.
        quantized.resize(quantized.len().max(count * row_size), 0);
        let quantized = &mut quantized[..count * row_size];
        let blocks = shape
            .stride
            .div_ceil((self.set.layout().block_size)(shape.stride));
        let mut scales = vec![RowScale::default(); count * blocks];
        let options = QuantizeOptions {
            columns: self.inner,
            stride: shape.stride,
            smoothing: &self.smoothing,
            range: match activations.granularity {
                Granularity::Row => None,
                Granularity::Tensor => Some(quantize::range(rows, &self.smoothing)),
            },
            largest: shape.largest,
            is_summed: shape.is_summed,
        };
        let parts = ranges(
            count,
            (rows.len() / MIN_VALUES_PER_TASK).min(4 * threads.threads()),
        );
        let quantized = Shared::new(quantized);
        let shared_scales = Shared::new(&mut scales);
        threads.run(parts.len(), &|at| {
            let part = parts[at].clone();
            let bytes = part.start * row_size..part.end * row_size;
            let values = &rows[part.start * self.inner..part.end * self.inner];
            let part = part.start * blocks..part.end * blocks;
            // SAFETY: `ranges` returns disjoint ranges of rows, one per task.
            let (quantized, scales) = unsafe { (quantized.part(bytes), shared_scales.part(part)) };
            quantize_with(self.set, options, values, quantized, scales);
        });
        scales
    }
}

thread_local! {
    /// The buffer for quantized activations, reused from layer to layer: a new one
    /// would have to be filled with zeros.
    static QUANTIZED: std::cell::Cell<Aligned<u8>> = const { std::cell::Cell::new(Aligned::new()) };
}

/// Values that a task quantizes at least: handing work to another thread takes
/// microseconds.
const MIN_VALUES_PER_TASK: usize = 16 << 10;
/// Bytes of rows that stay in a core's cache while panels stream through it.
const CACHED_ROW_BYTES: usize = 256 << 10;
/// Several tasks per thread, so that threads finish at about the same time.
const TASKS_PER_THREAD: usize = 6;

/// A product to be divided among threads.
struct Partition {
    rows: usize,
    /// Bytes of a row.
    row_size: usize,
    panels: usize,
    tile_rows: usize,
}

/// A task computes these rows of these panels.
#[derive(Clone)]
struct Task {
    rows: Range<usize>,
    panels: Range<usize>,
}

impl Partition {
    fn tasks(&self, threads: usize) -> Vec<Task> {
        let rows = self.rows;
        let cached = (CACHED_ROW_BYTES / self.row_size.max(1)).max(1);
        let blocks = rows.div_ceil(cached).max(1);
        // Whole tiles, except in the last block.
        let block = rows
            .div_ceil(blocks)
            .next_multiple_of(self.tile_rows)
            .max(1);
        let blocks = rows.div_ceil(block);
        let parts = if threads == 1 {
            1
        } else {
            (threads * TASKS_PER_THREAD).div_ceil(blocks.max(1))
        };
        let parts = ranges(self.panels, parts);
        (0..blocks)
            .flat_map(|at| {
                let rows = at * block..((at + 1) * block).min(rows);
                parts.iter().map(move |panels| Task {
                    rows: rows.clone(),
                    panels: panels.clone(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
