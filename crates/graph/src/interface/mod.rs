//! Inputs and outputs of exported graphs, made those of an encoder.
//!
//! Exporters differ in the types of inputs, ask for positions or for past keys
//! and values, return sentence vectors as well, or half precision. Engines are
//! given graphs that take
//! `input_ids`, `attention_mask` and perhaps `token_type_ids`, `[batch, length]`
//! of 64-bit integers, and return `[batch, length, dim]` of 32-bit floats, or
//! `[batch, 1, dim]` where a text has one row.

mod caches;
mod inputs;
mod outputs;
#[cfg(test)]
mod tests;
mod types;

use crate::error::Result;
use crate::graph::Graph;
use crate::passes::repeat_rotary_inputs;

pub(crate) use types::{declare, declare_text, declared_columns, declared_element};

/// What the rows of an output stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Tokens: `[batch, length, dim]`.
    #[default]
    Tokens,
    /// Texts: `[batch, 1, dim]`, which `[batch, dim]` is made.
    Text,
}

/// What is known of the output from elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promise<'a> {
    /// Columns of each row.
    pub width: Option<usize>,
    /// Names by which the output is chosen among several, the best first.
    pub names: &'a [&'a str],
    /// What its rows stand for.
    pub form: Form,
}

/// A graph's interface, after [`adapt_interface`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// The name of the output.
    pub output: String,
    /// Columns of each row, where the graph tells.
    pub width: Option<usize>,
    /// Outputs that were removed.
    pub removed_outputs: Vec<String>,
    /// Whether the graph is not what it was.
    pub is_changed: bool,
}

/// Makes inputs and output of a graph those of an encoder; `file` names it in
/// errors. Past keys and values are empty ones of the graph.
///
/// Graphs with control flow keep their inputs, since graphs inside may read
/// them. Inputs of other names are kept too.
///
/// # Errors
/// [`Error::ModelMismatch`](crate::Error::ModelMismatch) if no output, or more
/// than one, is what was promised.
pub fn adapt_interface(graph: &mut Graph, file: &str, promise: Promise<'_>) -> Result<Interface> {
    // If it fails, nothing has changed.
    let bare = if graph.has_control_flow() {
        None
    } else {
        caches::without_past(graph)
    };
    let past_changed = bare.is_some();
    let output = match bare {
        Some(mut bare) => {
            let output = outputs::adapt(&mut bare, file, promise)?;
            caches::drop_presents(&mut bare);
            *graph = bare;
            output
        }
        None => outputs::adapt(graph, file, promise)?,
    };
    let inputs_changed = !graph.has_control_flow() && inputs::adapt(graph);
    let rotary_changed = repeat_rotary_inputs(graph);
    Ok(Interface {
        output: output.name,
        width: output.width,
        removed_outputs: output.others,
        is_changed: past_changed || inputs_changed || rotary_changed || output.is_changed,
    })
}
