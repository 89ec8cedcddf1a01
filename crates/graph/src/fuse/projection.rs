//! The rows that queries, keys and values are made of.

use ndarray::{Array3, Array4, Ix4};

use super::layout::{Layout, Rows};
use super::rotary::{Rotary, Tables, rotations};
use crate::trace::{Tensor, Trace};
use multivec_kernels::sample;

/// Heads that are cut out of rows.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    pub(super) rows: Rows,
    /// The first column of the first head.
    pub(super) offset: usize,
    /// A factor of all elements.
    pub(super) scale: f32,
    pub(super) rotary: Option<Rotary>,
}

/// The order of the last two axes of heads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heads {
    /// `[batch, heads, length, columns]`
    Plain,
    /// `[batch, heads, columns, length]`
    Transposed,
}

/// Finds the rows that heads are cut out of. Any nodes in between are replayed
/// with other rows, which shows where each element goes.
pub(super) fn find(trace: &Trace<'_>, value: &str, order: Heads) -> Option<Projection> {
    let &[batch, heads, first, second] = trace.shape(value)? else {
        return None;
    };
    let (length, columns) = match order {
        Heads::Plain => (first, second),
        Heads::Transposed => (second, first),
    };
    let Source { base, tables } = ascend(trace, value)?;
    let shape = trace.shape(base)?;
    let width = *shape.last()?;
    let last_offset = width.checked_sub(heads * columns)?;

    let rows = random_rows(batch, length, width);
    let rotations = match &tables {
        None => vec![None],
        Some(tables) => rotations(trace, tables, [length, columns])
            .into_iter()
            .map(Some)
            .collect(),
    };
    Layout::candidates(shape).iter().find_map(|&layout| {
        let replaced = Tensor::Float(layout.arrange(&rows)?);
        let Tensor::Float(found) = trace.replay(value, base, replaced)? else {
            return None;
        };
        let mut found = found.into_dimensionality::<Ix4>().ok()?;
        if order == Heads::Transposed {
            found.swap_axes(2, 3);
        }
        if found.dim() != (batch, heads, length, columns) {
            return None;
        }
        let offsets = (0..=last_offset).step_by(columns);
        let mut candidates =
            offsets.flat_map(|offset| rotations.iter().map(move |rotation| (offset, rotation)));
        candidates.find_map(|(offset, rotation)| {
            let mut expected = cut(&rows, offset, [heads, columns]);
            if let Some(rotation) = rotation {
                rotation.rotate(&mut expected)?;
            }
            Some(Projection {
                scale: ratio(&found, &expected)?,
                rows: Rows {
                    value: base.to_owned(),
                    layout,
                    width,
                },
                offset,
                rotary: rotation.as_ref().map(|rotation| rotation.rotary.clone()),
            })
        })
    })
}

/// A value of rows, and the tables of a rotary embedding on the way from it.
struct Source<'g> {
    base: &'g str,
    tables: Option<Tables<'g>>,
}

/// Goes up to the first value of rows in any layout, past a rotary embedding:
/// the sum of two products with tables.
fn ascend<'g>(trace: &Trace<'g>, value: &'g str) -> Option<Source<'g>> {
    const MOVEMENTS: [&str; 10] = [
        "Cast",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    ];
    let mut value = value;
    let mut tables = None;
    // Exporters write a dozen nodes; the bound guards against cycles.
    for _ in 0..64 {
        let shape = trace.shape(value);
        if shape.is_some_and(|shape| !Layout::candidates(shape).is_empty()) {
            return Some(Source {
                base: value,
                tables,
            });
        }
        let node = trace.index().producer(value)?;
        if MOVEMENTS.iter().any(|name| node.is(name)) {
            value = node.input.first()?;
        } else if node.is("Mul") || node.is("Div") {
            value = node.input.iter().find(|name| trace.is_opaque(name))?;
        } else if node.is("Add") && tables.is_none() {
            let [left, right] = node.input.as_slice() else {
                return None;
            };
            let product = |value| {
                let product = trace.index().made_by(value, "Mul")?;
                trace.operands(&product.input)
            };
            let (left, right) = (product(left)?, product(right)?);
            tables = Some(Tables {
                first: left.known,
                second: right.known,
            });
            value = left.opaque;
        } else {
            return None;
        }
    }
    None
}

/// Rows without any regularity by which a wrong layout could seem right.
fn random_rows(batch: usize, length: usize, width: usize) -> Array3<f32> {
    let mut numbers = sample::numbers();
    Array3::from_shape_simple_fn((batch, length, width), || {
        let number = numbers.next().unwrap_or_default();
        number as f32 / sample::LIMIT as f32 + 0.5
    })
}

/// Cuts `[batch, heads, length, columns]` out of rows, from the column `offset`
/// on.
fn cut(rows: &Array3<f32>, offset: usize, [heads, columns]: [usize; 2]) -> Array4<f32> {
    let (batch, length, _) = rows.dim();
    Array4::from_shape_fn(
        (batch, heads, length, columns),
        |(text, head, row, column)| rows[[text, row, offset + head * columns + column]],
    )
}

/// The factor by which `found` differs from `expected`, if it is the same for
/// all elements.
fn ratio(found: &Array4<f32>, expected: &Array4<f32>) -> Option<f32> {
    let pairs = || found.iter().zip(expected.iter());
    let (found, expected) = pairs().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
    let ratio = found / expected;
    let is_near =
        |(found, expected): (&f32, &f32)| (found - expected * ratio).abs() <= 1e-5 * ratio.abs();
    (ratio.is_normal() && pairs().all(is_near)).then_some(ratio)
}
