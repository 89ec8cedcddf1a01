//! `RotaryEmbedding`, of the standard and of ONNX Runtime.
//!
//! Source: ONNX, operator set 23; ONNX Runtime, docs/ContribOperators.md.

use super::call::{Call, SplitRows};
use super::{BATCH, LENGTH};

/// `RotaryEmbedding(x, cos, sin, positions?)`
pub(super) fn standard(call: &mut Call<'_>) -> Option<Vec<String>> {
    let tables = Tables {
        cos: call.input(1)?,
        sin: call.input(2)?,
        positions: 3,
    };
    rotate(call, &tables)
}

/// `RotaryEmbedding(x, positions, cos, sin)`. Without a number of heads, their
/// width is that of the tables.
pub(super) fn contrib(call: &mut Call<'_>) -> Option<Vec<String>> {
    let tables = Tables {
        cos: call.input(2)?,
        sin: call.input(3)?,
        positions: 1,
    };
    call.input(tables.positions)?;
    let is_plain =
        call.node.int("is_packed_batching", 0) == 0 && call.node.float("scale", 1.) == 1.;
    is_plain.then(|| rotate(call, &tables)).flatten()
}

/// Half of the cosines and sines: of the columns that are rotated, each pair
/// has one.
struct Tables<'a> {
    cos: &'a str,
    sin: &'a str,
    /// The input that has the positions to look them up by, if there are any.
    positions: usize,
}

/// How the columns of heads are rotated.
pub(super) struct Rotation {
    pub(super) columns: usize,
    /// Columns that are rotated, the first ones.
    pub(super) rotated: usize,
    pub(super) is_interleaved: bool,
}

impl Rotation {
    /// The rotation of a node, and the number of heads.
    fn of(call: &Call<'_>, tables: &Tables<'_>) -> Option<(Self, usize)> {
        let half = *call.trace.shape(tables.cos)?.last()?;
        let (count, columns) = match *call.shape(0)? {
            [_, count, _, columns] => (count, columns),
            [_, _, width] => {
                let columns = match call.count("num_heads") {
                    Some(count) => width / count,
                    None => 2 * half,
                };
                (width.checked_div(columns)?, columns)
            }
            _ => return None,
        };
        let rotated = call.count("rotary_embedding_dim").unwrap_or(columns);
        let width = *call.shape(0)?.last()?;
        let fits = rotated == 2 * half
            && rotated > 0
            && rotated <= columns
            && (width == columns || width == count * columns);
        let rotation = Self {
            columns,
            rotated,
            is_interleaved: call.node.int("interleaved", 0) != 0,
        };
        fits.then_some((rotation, count))
    }

    /// Cosines and sines of all columns, `[batch or 1, 1, length, rotated]`, of
    /// those of each pair, which are looked up by positions if there are any.
    pub(super) fn tables(
        &self,
        call: &mut Call<'_>,
        halves: [&str; 2],
        positions: Option<&str>,
    ) -> [String; 2] {
        let halves = halves.map(|table| {
            let found = positions.map(|at| call.builder.add("Gather", &[table, at]));
            call.unsqueeze(found.as_deref().unwrap_or(table), &[1])
        });
        halves.map(|table| self.widen(call, &table))
    }

    /// Rotates heads, `[batch, heads, length, columns]`.
    pub(super) fn apply(
        &self,
        call: &mut Call<'_>,
        heads: &str,
        [cos, sin]: &[String; 2],
    ) -> String {
        let rest = self.columns - self.rotated;
        if rest == 0 {
            return self.rotate(call, heads, [cos, sin]);
        }
        let sizes = [self.rotated as i64, rest as i64];
        let [first, rest] = call.builder.split(heads, -1, sizes);
        let rotated = self.rotate(call, &first, [cos, sin]);
        call.concat(&[&rotated, &rest], -1)
    }

    fn rotate(&self, call: &mut Call<'_>, heads: &str, [cos, sin]: [&str; 2]) -> String {
        let turned = self.turn(call, heads);
        let along = call.builder.add("Mul", &[heads, cos]);
        let across = call.builder.add("Mul", &[&turned, sin]);
        call.builder.add("Add", &[&along, &across])
    }

    /// The other column of each pair, the second one negative.
    fn turn(&self, call: &mut Call<'_>, heads: &str) -> String {
        let half = (self.rotated / 2) as i64;
        if !self.is_interleaved {
            let [first, second] = call.builder.split(heads, -1, [half; 2]);
            let second = call.builder.add("Neg", &[&second]);
            return call.concat(&[&second, &first], -1);
        }
        let pairs = call.reshape(heads, &[0, 0, 0, half, 2]);
        let [first, second] = call.builder.split(&pairs, -1, [1; 2]);
        let second = call.builder.add("Neg", &[&second]);
        let turned = call.concat(&[&second, &first], -1);
        call.reshape(&turned, &[0, 0, 0, self.rotated as i64])
    }

    /// A table of half the columns, `[batch, 1, length, half]`, as one of all.
    fn widen(&self, call: &mut Call<'_>, table: &str) -> String {
        if !self.is_interleaved {
            return call.concat(&[table, table], -1);
        }
        let alone = call.unsqueeze(table, &[4]);
        let pairs = call.concat(&[&alone, &alone], -1);
        call.reshape(&pairs, &[0, 0, 0, self.rotated as i64])
    }
}

fn rotate(call: &mut Call<'_>, tables: &Tables<'_>) -> Option<Vec<String>> {
    let (rotation, count) = Rotation::of(call, tables)?;
    if !call.is_float(0) || !call.ends_before(4) {
        return None;
    }
    let x = call.input(0)?;
    let is_rows = call.shape(0)?.len() == 3;
    let length_axis = if is_rows { 1 } else { 2 };
    let positions = positions(call, tables, length_axis)?;
    let tables = rotation.tables(call, [tables.cos, tables.sin], positions.as_deref());
    if !is_rows {
        return Some(vec![rotation.apply(call, x, &tables)]);
    }
    let heads = call.split_heads(x, count, rotation.columns);
    let rotated = rotation.apply(call, &heads, &tables);
    let rows = call.join_heads(&rotated, count * rotation.columns);
    let output = call.node.output.first()?.clone();
    let split = SplitRows {
        count,
        heads: rotated,
    };
    call.heads.insert(output, split);
    Some(vec![rows])
}

/// The positions `[batch or 1, length]`; `Some(None)` where tables are not
/// looked up in.
fn positions(call: &mut Call<'_>, tables: &Tables<'_>, length_axis: i64) -> Option<Option<String>> {
    let x = call.input(0)?;
    let [cos, sin] = [tables.cos, tables.sin].map(|name| call.trace.shape(name));
    let Some(name) = call.input(tables.positions) else {
        let is_table = matches!(cos?, &[1 | BATCH, LENGTH, _]) && cos == sin;
        return is_table.then_some(None);
    };
    if cos?.len() != 2 || cos != sin {
        return None;
    }
    let shape = call.trace.shape(name)?;
    let indices = call.indices(tables.positions)?;
    match *shape {
        [1 | BATCH, LENGTH] => Some(Some(indices)),
        // The position of the first token.
        [1] => {
            let length = call.size(x, length_axis);
            let positions = call.range(&length);
            let positions = call.builder.add("Add", &[&positions, &indices]);
            Some(Some(call.unsqueeze(&positions, &[0])))
        }
        _ => None,
    }
}
