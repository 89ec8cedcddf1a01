//! One output of the three.

use std::mem;

use super::{HybridOutputs, TokenRows, Value, WeightsForm};
use crate::blocks::unsqueeze;
use crate::builder::Builder;
use crate::graph::Graph;
use crate::interface::{declare, declare_text};
use crate::onnx::FLOAT;

/// Which of the outputs a graph keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HybridPart {
    /// All of them, `[batch, length, width + 1]`, with the larger of both widths.
    #[default]
    All,
    /// The vector of a text, `[batch, 1, width]`.
    Text,
    /// The weights of tokens, `[batch, length, 1]`.
    Weights,
    /// The vectors of tokens, `[batch, length, width]`. That of the first token
    /// may be 0.
    Tokens,
}

/// Makes a part of the outputs the only one, in 32-bit floats.
pub fn keep_hybrid_part(graph: &mut Graph, outputs: &HybridOutputs, part: HybridPart) {
    let mut builder = Builder::new(graph);
    let (text, tokens) = (outputs.text_width, outputs.token_width);
    let output = match part {
        HybridPart::Text => {
            let rows = outputs.text_rows(&mut builder);
            declare_text(&rows, FLOAT, Some(text))
        }
        HybridPart::Weights => {
            let column = outputs.weights_column(&mut builder);
            declare(&column, FLOAT, Some(1))
        }
        HybridPart::Tokens => {
            let rows = outputs.token_rows(&mut builder);
            declare(&rows, FLOAT, Some(tokens))
        }
        HybridPart::All => {
            let width = text.max(tokens);
            let first = outputs.text_rows(&mut builder);
            let first = widened(&mut builder, first, width - text);
            let rest = outputs.rest_rows(&mut builder);
            let rest = widened(&mut builder, rest, width - tokens);
            let rows =
                builder.add_with("Concat", &[&first, &rest], |node| node.with_int("axis", 1));
            let column = outputs.weights_column(&mut builder);
            let all =
                builder.add_with("Concat", &[&rows, &column], |node| node.with_int("axis", 2));
            declare(&all, FLOAT, Some(width + 1))
        }
    };
    builder.prepend(mem::take(&mut graph.proto_mut().node));
    builder.into_graph(graph);
    graph.proto_mut().output = vec![output];
    graph.remove_dead_nodes();
}

impl HybridOutputs {
    /// `[batch, 1, width]`
    fn text_rows(&self, builder: &mut Builder) -> String {
        let rows = float(builder, &self.text);
        unsqueeze(builder, &rows, 1)
    }

    /// `[batch, length, 1]`
    fn weights_column(&self, builder: &mut Builder) -> String {
        let weights = float(builder, &self.weights);
        let flat = match self.weights_form {
            WeightsForm::Column => return weights,
            WeightsForm::Flat => weights,
            // A token that occurs twice has the larger weight in both places.
            WeightsForm::Vocabulary => {
                builder.add_with("GatherElements", &[&weights, "input_ids"], |node| {
                    node.with_int("axis", 1)
                })
            }
        };
        unsqueeze(builder, &flat, 2)
    }

    /// `[batch, length, width]`
    fn token_rows(&self, builder: &mut Builder) -> String {
        let rows = float(builder, &self.tokens);
        match self.token_rows {
            TokenRows::All => rows,
            TokenRows::Rest => padded(builder, &rows, [0, 1, 0, 0, 0, 0]),
        }
    }

    /// All but the first of the rows of tokens.
    fn rest_rows(&self, builder: &mut Builder) -> String {
        let rows = float(builder, &self.tokens);
        match self.token_rows {
            TokenRows::Rest => rows,
            TokenRows::All => {
                let [start, end, axis] = [1, i64::MAX, 1].map(|at| builder.ints(&[at]));
                builder.add("Slice", &[&rows, &start, &end, &axis])
            }
        }
    }
}

fn float(builder: &mut Builder, value: &Value) -> String {
    match value.element {
        FLOAT => value.name.clone(),
        _ => builder.add_with("Cast", &[&value.name], |node| {
            node.with_int("to", i64::from(FLOAT))
        }),
    }
}

/// With so many columns of zeros behind the others.
fn widened(builder: &mut Builder, rows: String, columns: usize) -> String {
    match columns {
        0 => rows,
        columns => padded(builder, &rows, [0, 0, 0, 0, 0, columns as i64]),
    }
}

/// With zeros before and after each axis.
fn padded(builder: &mut Builder, rows: &str, pads: [i64; 6]) -> String {
    if builder.opset() < 11 {
        return builder.add_with("Pad", &[rows], |node| node.with_ints("pads", &pads));
    }
    let pads = builder.ints(&pads);
    builder.add("Pad", &[rows, &pads])
}
