//! Attention over all heads.

use super::masks::{Mask, unsqueeze};
use super::rotary::Rotary;
use crate::builder::Builder;
use crate::onnx::NodeProto;

/// How many heads there are, and of what width.
#[derive(Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) count: usize,
    /// Heads of keys and values, each of which is read by as many heads of
    /// queries.
    pub(crate) of_keys: usize,
    pub(crate) columns: usize,
    /// The factor of scores.
    pub(crate) scale: f32,
}

impl Heads {
    /// Columns of all heads together.
    pub(crate) fn width(self) -> usize {
        self.count * self.columns
    }

    /// Cuts rows `[batch, length, count * columns]` into
    /// `[batch, length, count, columns]`.
    pub(crate) fn split(self, builder: &mut Builder, rows: &str, count: usize) -> String {
        let shape = builder.ints(&[0, 0, count as i64, self.columns as i64]);
        builder.add("Reshape", &[rows, &shape])
    }

    /// Cuts rows that hold queries, keys and values side by side into these
    /// three.
    pub(crate) fn split_packed(self, builder: &mut Builder, rows: &str) -> [String; 3] {
        let shape = builder.ints(&[0, 0, 3, self.count as i64, self.columns as i64]);
        let parts = builder.add("Reshape", &[rows, &shape]);
        [0, 1, 2].map(|at| {
            let at = builder.int(at);
            builder.add_with("Gather", &[&parts, &at], |node| node.with_int("axis", 2))
        })
    }
}

/// The parameters of an attention.
pub(crate) struct Attention<'a> {
    pub(crate) heads: Heads,
    pub(crate) mask: &'a Mask,
    pub(crate) rotary: Option<&'a Rotary>,
}

impl Attention<'_> {
    /// Adds the nodes from queries, keys and values, `[batch, length, heads,
    /// columns]`, to rows `[batch, length, heads * columns]`.
    pub(crate) fn apply(&self, builder: &mut Builder, operands: &[String; 3]) -> String {
        let heads_first = |node: NodeProto| node.with_ints("perm", &[0, 2, 1, 3]);
        let [mut queries, mut keys, mut values] = operands
            .each_ref()
            .map(|x| builder.add_with("Transpose", &[x], heads_first));
        if let Some(rotary) = self.rotary {
            queries = rotary.apply(builder, &queries);
            keys = rotary.apply(builder, &keys);
        }
        if self.heads.of_keys != self.heads.count {
            keys = self.repeat(builder, &keys);
            values = self.repeat(builder, &values);
        }
        let columns_first = |node: NodeProto| node.with_ints("perm", &[0, 1, 3, 2]);
        let keys = builder.add_with("Transpose", &[&keys], columns_first);
        let products = builder.add("MatMul", &[&queries, &keys]);
        let scaled = if self.heads.scale == 1. {
            products
        } else {
            let scale = builder.float(self.heads.scale);
            builder.add("Mul", &[&products, &scale])
        };
        let scores = builder.add("Add", &[&scaled, &self.mask.value]);
        let softmax = |node: NodeProto| node.with_int("axis", -1);
        let mut weights = builder.add_with("Softmax", &[&scores], softmax);
        if self.mask.is_guarded {
            let is_nan = builder.add("IsNaN", &[&weights]);
            let zero = builder.float(0.);
            weights = builder.add("Where", &[&is_nan, &zero, &weights]);
        }
        let context = builder.add("MatMul", &[&weights, &values]);
        let rows = builder.add_with("Transpose", &[&context], heads_first);
        let shape = builder.ints(&[0, 0, self.heads.width() as i64]);
        builder.add("Reshape", &[&rows, &shape])
    }

    /// Repeats each head of keys or values for those of queries that read it.
    fn repeat(&self, builder: &mut Builder, x: &str) -> String {
        let Heads {
            count,
            of_keys,
            columns,
            ..
        } = self.heads;
        let alone = unsqueeze(builder, x, 2);
        let repeats = builder.ints(&[1, 1, (count / of_keys) as i64, 1, 1]);
        let repeated = builder.add("Expand", &[&alone, &repeats]);
        let shape = builder.ints(&[0, count as i64, -1, columns as i64]);
        builder.add("Reshape", &[&repeated, &shape])
    }
}
