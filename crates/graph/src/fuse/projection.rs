//! Queries, keys and values: where their rows come from.

use ndarray::{Array2, Array3, Array4, ArrayD, Axis, Ix4};

use super::super::trace::{Tensor, Trace};
use super::Links;
use super::rows::Order;
use multivec_kernels::Rotation;
use multivec_kernels::sample;

/// How rows are turned by their position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rotary {
    /// The values that hold cosines and sines.
    pub(super) cos: String,
    pub(super) sin: String,
    /// Whether neighbours are turned together, rather than halves.
    pub(super) interleaved: bool,
}

/// Heads cut out of the rows of a value.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    pub(super) base: String,
    pub(super) order: Order,
    /// The first column.
    pub(super) offset: usize,
    pub(super) width: usize,
    /// The factor that they were multiplied by.
    pub(super) scale: f32,
    pub(super) rotary: Option<Rotary>,
}

/// Finds the rows behind `value`, which is `[batch, heads, length, columns]`,
/// or with its last axes swapped. Whatever moved them there, a replay with
/// other rows shows where they go.
pub(super) fn find(
    links: &Links<'_>,
    trace: &Trace<'_>,
    value: &str,
    is_swapped: bool,
) -> Option<Projection> {
    let &[batch, heads, first, second] = trace.shape(value)? else {
        return None;
    };
    let (length, columns) = match is_swapped {
        true => (second, first),
        false => (first, second),
    };
    let (base, tables) = ascend(links, trace, value)?;
    let shape = trace.shape(&base)?;
    let width = *shape.last()?;
    let last = width.checked_sub(heads * columns)?;

    let rows = random_rows(batch, length, width);
    let candidates = rotations(trace, tables.as_ref(), length, columns);
    Order::of_shape(shape).iter().find_map(|&order| {
        let given = Tensor::Float(order.arrange(&rows)?);
        let Tensor::Float(found) = trace.replay(value, &base, given)? else {
            return None;
        };
        let mut found = found.into_dimensionality::<Ix4>().ok()?;
        if is_swapped {
            found.swap_axes(2, 3);
        }
        if found.dim() != (batch, heads, length, columns) {
            return None;
        }
        let places = (0..=last).step_by(columns);
        let mut pairs = places.flat_map(|at| candidates.iter().map(move |rotary| (at, rotary)));
        pairs.find_map(|(offset, candidate)| {
            let expected = cut(&rows, offset, heads, columns);
            let expected = match candidate {
                Some((rotary, cos, sin)) => turn(expected, rotary, cos, sin)?,
                None => expected,
            };
            let scale = ratio(&found, &expected)?;
            Some(Projection {
                base: base.clone(),
                order,
                offset,
                width,
                scale,
                rotary: candidate.as_ref().map(|(rotary, ..)| rotary.clone()),
            })
        })
    })
}

/// Goes up to the first value of rows, in any order, and on the way past the sum of two products with tables that a rotary embedding is.
fn ascend(
    links: &Links<'_>,
    trace: &Trace<'_>,
    value: &str,
) -> Option<(String, Option<[String; 2]>)> {
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
        if trace
            .shape(value)
            .is_some_and(|shape| !Order::of_shape(shape).is_empty())
        {
            return Some((value.to_owned(), tables));
        }
        let node = links.producer(value)?;
        if MOVEMENTS.iter().any(|name| node.is(name)) {
            value = node.input.first()?;
        } else if node.is("Mul") || node.is("Div") {
            value = node.input.iter().find(|name| trace.is_opaque(name))?;
        } else if node.is("Add") && tables.is_none() {
            let [left, right] = node.input.as_slice() else {
                return None;
            };
            let (data, first) = with_table(links, trace, left)?;
            let (_, second) = with_table(links, trace, right)?;
            tables = Some([first, second]);
            value = data;
        } else {
            return None;
        }
    }
    None
}

/// The two factors of a product with a table.
fn with_table<'g>(
    links: &Links<'g>,
    trace: &Trace<'_>,
    value: &str,
) -> Option<(&'g String, String)> {
    let product = links.producer(value).filter(|node| node.is("Mul"))?;
    let (data, table) = trace.operands(&product.input)?;
    Some((data, table.clone()))
}

type Turned = Option<(Rotary, Array2<f32>, Array2<f32>)>;

/// The rotations that the tables may stand for; none where there are none.
fn rotations(
    trace: &Trace<'_>,
    tables: Option<&[String; 2]>,
    length: usize,
    columns: usize,
) -> Vec<Turned> {
    let Some([first, second]) = tables else {
        return vec![None];
    };
    let mut found = Vec::new();
    for (cos, sin) in [(first, second), (second, first)] {
        let tables = (
            table(trace, cos, length, columns),
            table(trace, sin, length, columns),
        );
        let (Some(cos_rows), Some(sin_rows)) = tables else {
            continue;
        };
        for interleaved in [false, true] {
            if !turns_pairs(&cos_rows, interleaved) || !turns_pairs(&sin_rows, interleaved) {
                continue;
            }
            let rotary = Rotary {
                cos: cos.clone(),
                sin: sin.clone(),
                interleaved,
            };
            found.push(Some((rotary, cos_rows.clone(), sin_rows.clone())));
        }
    }
    found
}

/// Whether both columns of each pair have the same angle.
fn turns_pairs(table: &Array2<f32>, interleaved: bool) -> bool {
    let half = table.ncols() / 2;
    table.ncols() == 2 * half
        && table.rows().into_iter().all(|row| match interleaved {
            false => (0..half).all(|at| row[at] == row[at + half]),
            true => (0..half).all(|at| row[2 * at] == row[2 * at + 1]),
        })
}

/// A table as `[length, columns]`. Its other axes are of size 1, but for the
/// first, where it may be given for each text.
fn table(trace: &Trace<'_>, name: &str, length: usize, columns: usize) -> Option<Array2<f32>> {
    let Some(Tensor::Float(table)) = trace.get(name) else {
        return None;
    };
    let mut table: ArrayD<f32> = table.clone();
    if table.ndim() > 2 {
        let first = table.index_axis(Axis(0), 0).to_owned();
        if table.outer_iter().any(|text| text != first) {
            return None;
        }
        table = first;
    }
    let table = table.as_standard_layout().into_owned();
    table.into_shape_with_order((length, columns)).ok()
}

/// Rows without regularities that a wrong layout could hide in.
fn random_rows(batch: usize, length: usize, width: usize) -> Array3<f32> {
    let mut numbers = sample::numbers();
    Array3::from_shape_simple_fn((batch, length, width), || {
        let number = numbers.next().unwrap_or_default();
        number as f32 / sample::LIMIT as f32 + 0.5
    })
}

/// `[batch, heads, length, columns]` of rows from a column on.
fn cut(rows: &Array3<f32>, offset: usize, heads: usize, columns: usize) -> Array4<f32> {
    let (batch, length, _) = rows.dim();
    Array4::from_shape_fn(
        (batch, heads, length, columns),
        |(text, head, row, column)| rows[[text, row, offset + head * columns + column]],
    )
}

/// The same rows, turned by their positions.
fn turn(
    mut rows: Array4<f32>,
    rotary: &Rotary,
    cos: &Array2<f32>,
    sin: &Array2<f32>,
) -> Option<Array4<f32>> {
    let rotation = Rotation {
        cos: cos.as_slice()?,
        sin: sin.as_slice()?,
        interleaved: rotary.interleaved,
    };
    let (_, _, length, columns) = rows.dim();
    let turned = rows.as_slice_mut()?.chunks_exact_mut(columns);
    for (at, row) in turned.enumerate() {
        rotation.turn(row, at % length);
    }
    Some(rows)
}

/// The number that `found` is `expected` times, if it is.
fn ratio(found: &Array4<f32>, expected: &Array4<f32>) -> Option<f32> {
    let pairs = || found.iter().zip(expected.iter());
    let (found, expected) = pairs().max_by(|one, two| one.1.abs().total_cmp(&two.1.abs()))?;
    let ratio = found / expected;
    let is_near =
        |(found, expected): (&f32, &f32)| (found - expected * ratio).abs() <= 1e-5 * ratio.abs();
    (ratio.is_normal() && pairs().all(is_near)).then_some(ratio)
}
