//! Graphs that give a vector for each text, a weight for each token and a vector
//! for each token at once, such as BGE-M3.
//!
//! Engines are given one output: that of one of these, or all of them in one
//! value, `[batch, length, width + 1]`. There the first row has the vector of
//! the text, the others have those of their tokens, and the last column has the
//! weights.
//!
//! Source: Chen et al., BGE M3-Embedding, 2024; FlagEmbedding, `BGEM3Model`.

mod heads;
mod parts;
#[cfg(test)]
mod tests;

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::interface::declared_element;
use crate::onnx::FLOAT;
use crate::trace::Trace;

pub use heads::append_hybrid_heads;
pub use parts::{HybridPart, keep_hybrid_part};

/// Shapes that no model has by chance.
const BATCH: usize = 2;
const LENGTHS: [usize; 2] = [5, 6];

/// Names of the states that a transformer itself gives, which are vectors of
/// tokens as well.
const STATES: [&str; 2] = ["token_embeddings", "last_hidden_state"];

/// The three outputs of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HybridOutputs {
    /// Columns of the vector of a text.
    pub text_width: usize,
    /// Columns of the vectors of tokens.
    pub token_width: usize,
    text: Value,
    weights: Value,
    weights_form: WeightsForm,
    tokens: Value,
    token_rows: TokenRows,
}

/// An output.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    name: String,
    /// The `TensorProto.DataType`.
    element: i32,
}

/// What weights are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WeightsForm {
    /// `[batch, length, 1]`
    Column,
    /// `[batch, length]`
    Flat,
    /// `[batch, vocabulary]`
    Vocabulary,
}

/// Which tokens have a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenRows {
    All,
    /// All but the first.
    Rest,
}

impl HybridOutputs {
    /// Finds the outputs by their shapes, which a trace shows; `None` if one is
    /// absent or several are alike. `hidden` are the columns of the
    /// transformer's states, as far as they are known: those of the vector of a
    /// text.
    pub fn find(graph: &Graph, hidden: Option<usize>) -> Option<Self> {
        if graph.proto().output.len() < 3 {
            return None;
        }
        let index = ValueIndex::new(graph);
        let traces = LENGTHS.map(|length| Trace::unpadded(&index, BATCH, length));
        let [short, long] = LENGTHS;
        let (mut texts, mut weights, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for output in &graph.proto().output {
            let name = output.name.clone().unwrap_or_default();
            let [one, other] = traces.each_ref().map(|trace| trace.shape(&name));
            let value = Value {
                element: declared_element(output).unwrap_or(FLOAT),
                name: name.clone(),
            };
            match (one?, other?) {
                ([BATCH, width], [BATCH, same]) if width == same => texts.push((value, *width)),
                ([BATCH, one], [BATCH, other]) if (*one, *other) == (short, long) => {
                    weights.push((value, WeightsForm::Flat));
                }
                ([BATCH, one, 1], [BATCH, other, 1]) if (*one, *other) == (short, long) => {
                    weights.push((value, WeightsForm::Column));
                }
                ([BATCH, one, width], [BATCH, other, same])
                    if width == same && !STATES.contains(&&*name) =>
                {
                    let rows = match (*one, *other) {
                        rows if rows == (short, long) => TokenRows::All,
                        rows if rows == (short - 1, long - 1) => TokenRows::Rest,
                        _ => return None,
                    };
                    tokens.push((value, *width, rows));
                }
                _ => {}
            }
        }
        if let (Some(hidden), true, true) = (hidden, weights.is_empty(), texts.len() == 2) {
            let at = texts.iter().position(|(_, width)| *width != hidden)?;
            weights.push((texts.remove(at).0, WeightsForm::Vocabulary));
        }
        let (text, text_width) = only(texts)?;
        let (weights, weights_form) = only(weights)?;
        let (tokens, token_width, token_rows) = only(tokens)?;
        let is_wide = hidden.is_none_or(|hidden| hidden == text_width);
        is_wide.then_some(Self {
            text_width,
            token_width,
            text,
            weights,
            weights_form,
            tokens,
            token_rows,
        })
    }
}

fn only<T>(mut found: Vec<T>) -> Option<T> {
    let one = found.pop()?;
    found.is_empty().then_some(one)
}
