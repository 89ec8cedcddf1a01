//! The orders in which graphs keep the rows of tokens.

use ndarray::{Array3, ArrayD};

use super::super::node::node;
use super::super::onnx::NodeProto;
use super::super::values::constant_node;
use super::{BATCH, LENGTH};

/// Where the row of a token is in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// `[batch, length, width]`
    ByText,
    /// `[batch * length, width]`
    OneByOne,
    /// `[length, batch, width]`, as torch's own layers have it.
    ByPosition,
    /// `[length * batch, width]`
    OneByOneByPosition,
}

impl Order {
    /// The orders that rows may have in a value of that shape.
    pub(super) fn of_shape(shape: &[usize]) -> &'static [Self] {
        const ROWS: usize = BATCH * LENGTH;
        match shape {
            [BATCH, LENGTH, _] => &[Self::ByText],
            [LENGTH, BATCH, _] => &[Self::ByPosition],
            [ROWS, _] => &[Self::OneByOne, Self::OneByOneByPosition],
            _ => &[],
        }
    }

    fn is_by_position(self) -> bool {
        matches!(self, Self::ByPosition | Self::OneByOneByPosition)
    }

    fn is_one_by_one(self) -> bool {
        matches!(self, Self::OneByOne | Self::OneByOneByPosition)
    }

    /// Rows of `[batch, length, width]` in this order.
    pub(super) fn arrange(self, rows: &Array3<f32>) -> Option<ArrayD<f32>> {
        let mut rows = rows.view();
        if self.is_by_position() {
            rows.swap_axes(0, 1);
        }
        let rows = rows.as_standard_layout().into_owned();
        let (first, second, width) = rows.dim();
        match self.is_one_by_one() {
            true => {
                let rows = rows.into_shape_with_order((first * second, width));
                Some(rows.ok()?.into_dyn())
            }
            false => Some(rows.into_dyn()),
        }
    }
}

/// Nodes that bring rows from one order to another.
pub(super) struct Mover<'a> {
    /// Begins the names of values.
    name: &'a str,
    pub(super) nodes: Vec<NodeProto>,
}

impl<'a> Mover<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self {
            name,
            nodes: Vec::new(),
        }
    }

    /// The name of rows by text, made of `base`.
    pub(super) fn by_text(&mut self, base: &str, order: Order, width: usize) -> String {
        let made = self.named("by_text", base);
        let is_made = self.nodes.iter().any(|node| node.output.contains(&made));
        if order == Order::ByText {
            return base.to_owned();
        }
        if is_made {
            return made;
        }
        let mut rows = base.to_owned();
        if order.is_one_by_one() {
            let [texts, columns, shape] =
                ["texts", "columns", "shape"].map(|what| self.named(what, base));
            self.add("Shape", &["attention_mask"], &texts);
            self.nodes.push(constant_node(&columns, &[width as i64]));
            let mut sizes = texts;
            if order.is_by_position() {
                let (turned, places) = (self.named("turned", base), self.named("places", base));
                self.nodes.push(constant_node(&places, &[1, 0]));
                self.add("Gather", &[&sizes, &places], &turned);
                sizes = turned;
            }
            let joined = node("Concat", "", &[&sizes, &columns], &[&shape]);
            self.nodes.push(joined.with_int("axis", 0));
            let apart = match order.is_by_position() {
                true => self.named("apart", base),
                false => made.clone(),
            };
            self.add("Reshape", &[&rows, &shape], &apart);
            rows = apart;
        }
        if order.is_by_position() {
            self.turn(&rows, &made);
        }
        made
    }

    /// Makes `output` of rows by text that the value `rows` holds.
    pub(super) fn put_in_order(&mut self, rows: &str, order: Order, width: usize, output: &str) {
        let mut rows = rows.to_owned();
        if order.is_by_position() {
            let turned = match order.is_one_by_one() {
                true => self.named("turned", output),
                false => output.to_owned(),
            };
            self.turn(&rows, &turned);
            rows = turned;
        }
        if order.is_one_by_one() {
            let shape = self.named("shape", output);
            self.nodes.push(constant_node(&shape, &[-1, width as i64]));
            self.add("Reshape", &[&rows, &shape], output);
        }
    }

    fn turn(&mut self, rows: &str, output: &str) {
        let turned = node("Transpose", "", &[rows], &[output]);
        self.nodes.push(turned.with_ints("perm", &[1, 0, 2]));
    }

    fn add(&mut self, operator: &str, inputs: &[&str], output: &str) {
        self.nodes.push(node(operator, "", inputs, &[output]));
    }

    fn named(&self, what: &str, value: &str) -> String {
        format!("{}.{what}.{value}", self.name)
    }
}
