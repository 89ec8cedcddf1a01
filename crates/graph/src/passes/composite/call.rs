//! One node that is being taken apart.

use std::collections::HashMap;

use crate::builder::Builder;
use crate::node::node;
use crate::onnx::{FLOAT, INT32, INT64, NodeProto};
use crate::trace::Trace;

/// Rows of tokens whose heads are a value of their own.
pub(super) struct SplitRows {
    pub(super) count: usize,
    /// `[batch, heads, length, columns]`
    pub(super) heads: String,
}

/// A node, what is known of its inputs, and the graph that is being written.
pub(super) struct Call<'a> {
    pub(super) node: &'a NodeProto,
    pub(super) trace: &'a Trace<'a>,
    pub(super) builder: &'a mut Builder,
    /// The heads of rows that were joined, by the rows' names.
    pub(super) heads: &'a mut HashMap<String, SplitRows>,
}

impl<'a> Call<'a> {
    /// The name of an input; `None` if it is left out.
    pub(super) fn input(&self, at: usize) -> Option<&'a str> {
        let name = self.node.input.get(at)?.as_str();
        (!name.is_empty()).then_some(name)
    }

    pub(super) fn shape(&self, at: usize) -> Option<&'a [usize]> {
        self.trace.shape(self.input(at)?)
    }

    pub(super) fn is_float(&self, at: usize) -> bool {
        self.dtype(at) == Some(FLOAT)
    }

    pub(super) fn dtype(&self, at: usize) -> Option<i32> {
        Some(self.trace.get(self.input(at)?)?.dtype())
    }

    /// Whether all inputs from a position on are left out.
    pub(super) fn ends_before(&self, at: usize) -> bool {
        self.node.input.iter().skip(at).all(String::is_empty)
    }

    /// Whether every output that is read is among `values`.
    pub(super) fn is_covered(&self, values: &[String]) -> bool {
        self.node.output.iter().enumerate().all(|(at, name)| {
            name.is_empty()
                || values.get(at).is_some_and(|value| !value.is_empty())
                || self.trace.index().readers(name).is_empty()
        })
    }

    /// An attribute that counts something; `None` if it is absent or 0.
    pub(super) fn count(&self, name: &str) -> Option<usize> {
        usize::try_from(self.node.int(name, 0))
            .ok()
            .filter(|&count| count > 0)
    }

    /// The attribute `scale`, or the default of attention where it is absent or
    /// 0.
    pub(super) fn scale(&self, columns: usize) -> f32 {
        match self.node.float("scale", 0.) {
            0. => (columns as f64).sqrt().recip() as f32,
            scale => scale,
        }
    }

    /// An input of indices as 64-bit integers.
    pub(super) fn indices(&mut self, at: usize) -> Option<String> {
        let name = self.input(at)?;
        // The optimizer narrows indices for its own operators.
        if let Some(cast) = self.trace.index().made_by(name, "Cast")
            && cast.int("to", 0) == i64::from(INT32)
            && let Some(wide) = cast.input.first()
            && self.trace.get(wide)?.dtype() == INT64
        {
            return Some(wide.clone());
        }
        Some(self.cast(name, INT64))
    }

    pub(super) fn cast(&mut self, x: &str, to: i32) -> String {
        self.builder
            .add_with("Cast", &[x], |node| node.with_int("to", i64::from(to)))
    }

    pub(super) fn unsqueeze(&mut self, x: &str, axes: &[i64]) -> String {
        self.builder.add_over("Unsqueeze", x, axes, 13, |node| node)
    }

    pub(super) fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.builder.ints(shape);
        self.builder.add("Reshape", &[x, &shape])
    }

    pub(super) fn transpose(&mut self, x: &str, order: &[i64]) -> String {
        self.builder
            .add_with("Transpose", &[x], |node| node.with_ints("perm", order))
    }

    pub(super) fn concat(&mut self, parts: &[&str], axis: i64) -> String {
        self.builder
            .add_with("Concat", parts, |node| node.with_int("axis", axis))
    }

    /// The size of an axis of a value, a scalar.
    pub(super) fn size(&mut self, x: &str, axis: i64) -> String {
        let shape = self.builder.add("Shape", &[x]);
        let axis = self.builder.int(axis);
        self.builder.add("Gather", &[&shape, &axis])
    }

    /// 0, 1 and so on below a scalar.
    pub(super) fn range(&mut self, end: &str) -> String {
        let (start, step) = (self.builder.int(0), self.builder.int(1));
        self.builder.add("Range", &[&start, end, &step])
    }

    /// `[batch, length, count * columns]` as `[batch, count, length, columns]`.
    pub(super) fn split_heads(&mut self, rows: &str, count: usize, columns: usize) -> String {
        if let Some(split) = self.heads.get(rows)
            && split.count == count
        {
            return split.heads.clone();
        }
        let heads = self.reshape(rows, &[0, 0, count as i64, columns as i64]);
        self.transpose(&heads, &[0, 2, 1, 3])
    }

    /// `[batch, heads, length, columns]` as rows of that width.
    pub(super) fn join_heads(&mut self, heads: &str, width: usize) -> String {
        let rows = self.transpose(heads, &[0, 2, 1, 3]);
        self.reshape(&rows, &[0, 0, width as i64])
    }

    /// Repeats each head of keys or values, `[batch, heads, length, columns]`,
    /// for those of queries that read it.
    pub(super) fn repeat_heads(
        &mut self,
        heads: String,
        [from, to, columns]: [usize; 3],
    ) -> String {
        let repeats = to / from;
        if repeats == 1 {
            return heads;
        }
        let alone = self.unsqueeze(&heads, &[2]);
        let shape = self.builder.ints(&[1, 1, repeats as i64, 1, 1]);
        let repeated = self.builder.add("Expand", &[&alone, &shape]);
        self.reshape(&repeated, &[0, to as i64, -1, columns as i64])
    }

    /// The elements of a value in 8 bits, their scale and their zero point.
    pub(super) fn quantize(&mut self, x: &str) -> [String; 3] {
        let outputs = ["values", "scale", "zero"].map(|part| self.builder.unique(part));
        let names = outputs.each_ref().map(String::as_str);
        let quantize = node("DynamicQuantizeLinear", "", &[x], &names);
        self.builder.push(quantize);
        outputs
    }
}
