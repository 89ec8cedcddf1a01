//! Rotary position embedding of queries and keys.

use ndarray::{Array2, Array4, Axis};

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
}

/// The tables of a rotary embedding; which one has the cosines is not known.
pub(super) struct Tables<'g> {
    pub(super) first: &'g str,
    pub(super) second: &'g str,
}

/// A rotary embedding with its tables, `[length, columns]`.
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

/// The rotations, of rows `[length, columns]`, that tables may stand for.
pub(super) fn rotations(
    trace: &Trace<'_>,
    tables: &Tables<'_>,
    shape: [usize; 2],
) -> Vec<RotaryRows> {
    let &Tables { first, second } = tables;
    let mut found = Vec::new();
    for (cos_name, sin_name) in [(first, second), (second, first)] {
        let tables = (table(trace, cos_name, shape), table(trace, sin_name, shape));
        let (Some(cos), Some(sin)) = tables else {
            continue;
        };
        for interleaved in [false, true] {
            let same_angle =
                has_equal_pairs(&cos, interleaved) && has_equal_pairs(&sin, interleaved);
            if same_angle {
                found.push(RotaryRows {
                    rotary: Rotary {
                        cos: cos_name.to_owned(),
                        sin: sin_name.to_owned(),
                        interleaved,
                    },
                    cos: cos.clone(),
                    sin: sin.clone(),
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

/// A table as `[length, columns]`. Other axes have size 1, but the first may
/// repeat the table for each text.
fn table(trace: &Trace<'_>, name: &str, [length, columns]: [usize; 2]) -> Option<Array2<f32>> {
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
    table.into_shape_with_order((length, columns)).ok()
}
