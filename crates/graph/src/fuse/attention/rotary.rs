//! Rotary position embedding of queries and keys.

use ndarray::{Array2, Array4, Axis};

use super::nodes::Nodes;
use crate::onnx::NodeProto;
use crate::trace::{Tensor, Trace};
use multivec_kernels::Rotation;

/// A rotary embedding as values of the graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rotary {
    /// The value of cosines.
    pub(super) cos: String,
    /// The value of sines.
    pub(super) sin: String,
    /// Whether neighbouring columns are rotated together, rather than halves.
    pub(super) interleaved: bool,
    /// Columns of each head that are rotated, the first ones.
    pub(super) columns: usize,
    /// How many columns of the tables there are for each pair.
    pub(super) angles: Angles,
}

/// The columns of a table for each pair of columns that is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Angles {
    /// A table has half as many columns as are rotated.
    One,
    /// Both are the same.
    Two,
}

/// A rotary embedding with its tables, `[length, rotated columns]`.
pub(super) struct RotaryRows {
    pub(super) rotary: Rotary,
    cos: Array2<f32>,
    sin: Array2<f32>,
}

impl RotaryRows {
    /// Rotates rows, `[batch, heads, length, columns]`, by their positions.
    pub(super) fn rotate(&self, rows: &mut Array4<f32>) -> Option<()> {
        let rotation = Rotation {
            cos: self.cos.as_slice()?,
            sin: self.sin.as_slice()?,
            columns: self.rotary.columns,
            interleaved: self.rotary.interleaved,
        };
        let (_, _, length, columns) = rows.dim();
        let rows = rows.as_slice_mut()?.chunks_exact_mut(columns);
        for (at, row) in rows.enumerate() {
            rotation.rotate(row, at % length);
        }
        Some(())
    }
}

/// The rotations, of rows `[length, columns]`, that two tables may stand for;
/// which one has the cosines is not known.
pub(super) fn rotations(
    trace: &Trace<'_>,
    [first, second]: [&str; 2],
    [length, columns]: [usize; 2],
) -> Vec<RotaryRows> {
    let mut found = Vec::new();
    for [cos, sin] in [[first, second], [second, first]] {
        for (interleaved, angles) in [
            (false, Angles::One),
            (false, Angles::Two),
            (true, Angles::One),
            (true, Angles::Two),
        ] {
            let tables = [cos, sin]
                .map(|name| Some(angles.widen(&table(trace, name, length)?, interleaved)));
            let [Some(cos_rows), Some(sin_rows)] = tables else {
                continue;
            };
            let rotated = cos_rows.ncols();
            let is_rotation = rotated <= columns
                && sin_rows.ncols() == rotated
                && has_equal_pairs(&cos_rows, interleaved)
                && has_equal_pairs(&sin_rows, interleaved);
            if is_rotation {
                found.push(RotaryRows {
                    rotary: Rotary {
                        cos: cos.to_owned(),
                        sin: sin.to_owned(),
                        interleaved,
                        columns: rotated,
                        angles,
                    },
                    cos: cos_rows,
                    sin: sin_rows,
                });
            }
        }
    }
    found
}

/// Whether the two columns that are rotated together are equal.
fn has_equal_pairs(table: &Array2<f32>, interleaved: bool) -> bool {
    let half = table.ncols() / 2;
    let pair = |at: usize| {
        if interleaved {
            [2 * at, 2 * at + 1]
        } else {
            [at, at + half]
        }
    };
    let mut rows = table.rows().into_iter();
    table.ncols() == 2 * half
        && rows.all(|row| {
            (0..half)
                .map(pair)
                .all(|[one, other]| row[one] == row[other])
        })
}

/// A table as `[length, its columns]`. Other axes have size 1, but the first may
/// repeat the table for each text.
fn table(trace: &Trace<'_>, name: &str, length: usize) -> Option<Array2<f32>> {
    let Some(Tensor::Float(table)) = trace.get(name) else {
        return None;
    };
    let mut table = table.clone();
    if table.ndim() > 2 {
        let first = table.index_axis(Axis(0), 0).to_owned();
        if table.outer_iter().any(|text| text != first) {
            return None;
        }
        table = first;
    }
    let table = table.as_standard_layout().into_owned();
    let width = *table.shape().last()?;
    table.into_shape_with_order((length, width)).ok()
}

impl Angles {
    /// A table with a column for each that is rotated.
    fn widen(self, table: &Array2<f32>, interleaved: bool) -> Array2<f32> {
        if self == Self::Two {
            return table.clone();
        }
        let (length, width) = table.dim();
        let pair = |column: usize| {
            if interleaved {
                column / 2
            } else {
                column % width
            }
        };
        Array2::from_shape_fn((length, 2 * width), |(row, column)| {
            table[[row, pair(column)]]
        })
    }
}

impl Rotary {
    /// The values of both tables with a column for each that is rotated, and the
    /// nodes that make them so.
    pub(super) fn tables(&self, trace: &Trace<'_>, nodes: &mut Nodes) -> [String; 2] {
        [&self.cos, &self.sin].map(|table| match self.angles {
            Angles::Two => table.clone(),
            Angles::One => self.doubled(trace, table, nodes),
        })
    }

    fn doubled(&self, trace: &Trace<'_>, table: &str, nodes: &mut Nodes) -> String {
        let last = |node: NodeProto| node.with_int("axis", -1);
        if !self.interleaved {
            return nodes.add_with("Concat", &[table, table], last);
        }
        let half = trace.shape(table).and_then(<[_]>::last).copied();
        let columns = nodes.numbers(&[-1, 1]);
        let column = nodes.add("Reshape", &[table, &columns]);
        let pairs = nodes.add_with("Concat", &[&column, &column], last);
        let rows = nodes.numbers(&[-1, 2 * half.unwrap_or(1) as i64]);
        nodes.add("Reshape", &[&pairs, &rows])
    }
}
