//! The rows that queries, keys and values are made of.

use ndarray::{Array3, Array4, ArrayD, Axis, IxDyn};

use super::head_norm::HeadNorm;
use super::layout::{Converter, Layout, Rows};
use super::probes::Probes;
use super::region::Region;
use super::rotary::{Rotary, rotations};
use super::sources::sources;
use crate::fuse::{BATCH, LENGTH};
use crate::trace::Tensor;
use multivec_kernels::sample;

/// Heads that are cut out of rows.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    pub(super) rows: Rows,
    /// The first column of the first head.
    pub(super) offset: usize,
    /// Heads that are cut out, each of which stands for as many of the wanted.
    pub(super) heads: usize,
    /// How many heads the rows have from one that is cut out to the next.
    pub(super) step: usize,
    /// A factor of all elements.
    pub(super) scale: f32,
    pub(super) norm: Option<HeadNorm>,
    pub(super) rotary: Option<Rotary>,
}

impl Projection {
    /// The value that attention reads: rows of texts, with heads side by side.
    pub(super) fn operand(&self, converter: &mut Converter<'_>) -> String {
        let value = converter.batch_first(&self.rows);
        if self.step == 1 {
            return value;
        }
        let columns = self.rows.width / (self.heads * self.step);
        converter.regroup(&value, [self.heads, self.step, columns])
    }

    /// The first column of the first head in that value.
    pub(super) fn first_column(&self) -> usize {
        if self.step == 1 {
            self.offset
        } else {
            self.offset * self.heads
        }
    }
}

/// The heads that are looked for, in a value `[axes..., length, columns]`, or
/// `[axes..., columns, length]` if they are transposed.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The texts and heads that the value broadcasts to.
    pub(super) axes: &'a [usize],
    pub(super) columns: usize,
    pub(super) order: Order,
}

/// The order of the last two axes of heads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Plain,
    Transposed,
}

impl Wanted<'_> {
    /// A value as `[batch, heads, length, columns]`.
    fn arrange(&self, value: &ArrayD<f32>) -> Option<Array4<f32>> {
        let mut value = value.view();
        let last = value.ndim().checked_sub(1)?;
        if self.order == Order::Transposed {
            value.swap_axes(last.checked_sub(1)?, last);
        }
        let shape = [self.axes, &[LENGTH, self.columns]].concat();
        let whole = value.broadcast(IxDyn(&shape))?;
        let heads = self.axes.iter().product::<usize>() / BATCH;
        let shape = (BATCH, heads, LENGTH, self.columns);
        let whole = whole.as_standard_layout().into_owned();
        whole.into_shape_with_order(shape).ok()
    }
}

/// Finds the rows that heads are cut out of. The nodes in between are replayed
/// with other rows, which shows where each element goes.
pub(super) fn find<'g>(
    probes: &Probes<'g>,
    value: &'g str,
    wanted: Wanted<'_>,
) -> Option<Projection> {
    let regions = Region::all_above(probes.drawn(), probes.origins(), value);
    let mut regions = regions.iter();
    regions.find_map(|region| find_in(probes, region, value, wanted))
}

fn find_in<'g>(
    probes: &Probes<'g>,
    region: &Region<'g>,
    value: &'g str,
    wanted: Wanted<'_>,
) -> Option<Projection> {
    let trace = probes.drawn();
    let columns = wanted.columns;
    let shape = trace.shape(region.base)?;
    let width = *shape.last()?;
    let norms = region.norms(trace, columns);
    let rotations = match region.tables(trace).as_slice() {
        [] => vec![None],
        &[first, second] if probes.are_same_for_texts(&[first, second]) => {
            let found = rotations(trace, [first, second], [LENGTH, columns]);
            found.into_iter().map(Some).collect()
        }
        _ => return None,
    };
    let mut rows = random_rows(width);
    if !norms.is_empty() {
        shrink(&mut rows);
    }
    let norms = || norms.iter().map(Some).chain([None]);
    Layout::candidates(shape).iter().find_map(|&layout| {
        let replaced = Tensor::Float(layout.arrange(&rows)?);
        let Tensor::Float(found) = trace.replay(value, region.base, replaced)? else {
            return None;
        };
        let found = wanted.arrange(&found)?;
        let mut candidates =
            norms().flat_map(|norm| rotations.iter().map(move |rotation| (norm, rotation)));
        candidates.find_map(|(norm, rotation)| {
            let mut heads = cut(&rows, columns);
            if let Some(norm) = norm {
                norm.apply(&mut heads);
            }
            if let Some(rotation) = rotation {
                rotation.rotate(&mut heads)?;
            }
            let sources = sources(&found, &heads)?;
            (sources.step == 1 || width.is_multiple_of(columns)).then_some(())?;
            Some(Projection {
                rows: Rows {
                    value: region.base.to_owned(),
                    layout,
                    width,
                },
                offset: sources.first * columns,
                heads: sources.count,
                step: sources.step,
                scale: sources.scale,
                norm: norm.map(|known| known.norm.clone()),
                rotary: rotation.as_ref().map(|rotation| rotation.rotary.clone()),
            })
        })
    })
}

/// Rows without any regularity by which a wrong layout could seem right.
fn random_rows(width: usize) -> Array3<f32> {
    let mut numbers = sample::numbers();
    Array3::from_shape_simple_fn((BATCH, LENGTH, width), || {
        let number = numbers.next().unwrap_or_default();
        number as f32 / sample::LIMIT as f32 + 0.5
    })
}

/// Makes the rows of later tokens smaller and smaller, which shows what a norm
/// adds to the squares.
fn shrink(rows: &mut Array3<f32>) {
    for token in 0..LENGTH {
        let factor = 0.03f32.powi(token as i32);
        let mut rows = rows.index_axis_mut(Axis(1), token);
        rows.mapv_inplace(|x| x * factor);
    }
}

/// Cuts rows into as many heads as they have columns for, `[batch, heads,
/// length, columns]`.
fn cut(rows: &Array3<f32>, columns: usize) -> Array4<f32> {
    let (batch, length, width) = rows.dim();
    let shape = (batch, width / columns, length, columns);
    Array4::from_shape_fn(shape, |(text, head, row, column)| {
        rows[[text, row, head * columns + column]]
    })
}
