//! The layouts in which graphs keep the rows of tokens.

use ndarray::{Array3, ArrayD};

use crate::fuse::{BATCH, LENGTH};
use crate::node::{constant_node, node};
use crate::onnx::NodeProto;

/// The axes of a value that holds a row of each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[batch, length, width]`
    BatchLength,
    /// `[batch * length, width]`
    FlatBatchLength,
    /// `[length, batch, width]`, as in PyTorch's own layers.
    LengthBatch,
    /// `[length * batch, width]`
    FlatLengthBatch,
}

impl Layout {
    /// The layouts that a value of that shape may have.
    pub(super) fn candidates(shape: &[usize]) -> &'static [Self] {
        const ROWS: usize = BATCH * LENGTH;
        match shape {
            [BATCH, LENGTH, _] => &[Self::BatchLength],
            [LENGTH, BATCH, _] => &[Self::LengthBatch],
            [ROWS, _] => &[Self::FlatBatchLength, Self::FlatLengthBatch],
            _ => &[],
        }
    }

    fn is_length_first(self) -> bool {
        matches!(self, Self::LengthBatch | Self::FlatLengthBatch)
    }

    fn is_flat(self) -> bool {
        matches!(self, Self::FlatBatchLength | Self::FlatLengthBatch)
    }

    /// Rows of `[batch, length, width]` in this layout.
    pub(super) fn arrange(self, rows: &Array3<f32>) -> Option<ArrayD<f32>> {
        let mut rows = rows.view();
        if self.is_length_first() {
            rows.swap_axes(0, 1);
        }
        let rows = rows.as_standard_layout().into_owned();
        if !self.is_flat() {
            return Some(rows.into_dyn());
        }
        let (first, second, width) = rows.dim();
        let rows = rows.into_shape_with_order((first * second, width));
        Some(rows.ok()?.into_dyn())
    }
}

/// Rows in a value of the graph.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) value: String,
    pub(super) layout: Layout,
    pub(super) width: usize,
}

/// Nodes that convert rows between layouts.
pub(super) struct Converter<'a> {
    /// The prefix of new names.
    prefix: &'a str,
    pub(super) nodes: Vec<NodeProto>,
}

impl<'a> Converter<'a> {
    pub(super) fn new(prefix: &'a str) -> Self {
        Self {
            prefix,
            nodes: Vec::new(),
        }
    }

    /// Adds the nodes that convert rows to `[batch, length, width]`, and returns
    /// the name of the result.
    pub(super) fn batch_first(&mut self, rows: &Rows) -> String {
        let Rows {
            value,
            layout,
            width,
        } = rows;
        if *layout == Layout::BatchLength {
            return value.clone();
        }
        let result = self.named("batch_first", value);
        if self.nodes.iter().any(|node| node.output.contains(&result)) {
            return result;
        }
        if !layout.is_flat() {
            self.transpose(value, &result);
            return result;
        }
        let [mut sizes, columns, shape] =
            ["sizes", "columns", "shape"].map(|part| self.named(part, value));
        self.add("Shape", &["attention_mask"], &sizes);
        self.nodes.push(constant_node(&columns, &[*width as i64]));
        if layout.is_length_first() {
            let [swapped, axes] = ["swapped", "axes"].map(|part| self.named(part, value));
            self.nodes.push(constant_node(&axes, &[1, 0]));
            self.add("Gather", &[&sizes, &axes], &swapped);
            sizes = swapped;
        }
        let joined = node("Concat", "", &[&sizes, &columns], &[&shape]);
        self.nodes.push(joined.with_int("axis", 0));
        if layout.is_length_first() {
            let split = self.named("split", value);
            self.add("Reshape", &[value, &shape], &split);
            self.transpose(&split, &result);
        } else {
            self.add("Reshape", &[value, &shape], &result);
        }
        result
    }

    /// Adds the nodes that move heads of the same kind side by side, in rows of
    /// `groups` groups with one head of each kind, and returns the name of the
    /// result.
    pub(super) fn regroup(&mut self, value: &str, [groups, kinds, columns]: [usize; 3]) -> String {
        let named = |part: &str| self.named(&format!("{part}.{groups}"), value);
        let result = named("regrouped");
        if self.nodes.iter().any(|node| node.output.contains(&result)) {
            return result;
        }
        let [sizes, split, moved, joined] =
            ["groups", "split_groups", "moved_groups", "joined"].map(named);
        let shape = [0, 0, groups, kinds, columns].map(|size| size as i64);
        self.nodes.push(constant_node(&sizes, &shape));
        self.add("Reshape", &[value, &sizes], &split);
        let transposed = node("Transpose", "", &[&split], &[&moved]);
        self.nodes
            .push(transposed.with_ints("perm", &[0, 1, 3, 2, 4]));
        let width = (groups * kinds * columns) as i64;
        self.nodes.push(constant_node(&joined, &[0, 0, width]));
        self.add("Reshape", &[&moved, &joined], &result);
        result
    }

    /// Adds the nodes that convert `value`, `[batch, length, width]`, to `rows`.
    pub(super) fn convert_to(&mut self, rows: &Rows, value: &str) {
        let Rows {
            value: output,
            layout,
            width,
        } = rows;
        let mut value = value.to_owned();
        if layout.is_length_first() {
            let transposed = if layout.is_flat() {
                self.named("length_first", output)
            } else {
                output.clone()
            };
            self.transpose(&value, &transposed);
            value = transposed;
        }
        if layout.is_flat() {
            let shape = self.named("shape", output);
            self.nodes.push(constant_node(&shape, &[-1, *width as i64]));
            self.add("Reshape", &[&value, &shape], output);
        }
    }

    fn transpose(&mut self, rows: &str, output: &str) {
        let transposed = node("Transpose", "", &[rows], &[output]);
        self.nodes.push(transposed.with_ints("perm", &[1, 0, 2]));
    }

    fn add(&mut self, operator: &str, inputs: &[&str], output: &str) {
        self.nodes.push(node(operator, "", inputs, &[output]));
    }

    fn named(&self, part: &str, value: &str) -> String {
        format!("{}.{part}.{value}", self.prefix)
    }
}
