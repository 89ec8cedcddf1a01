//! The one output of an encoder: a row of 32-bit floats for each token, or for
//! each text.

use std::mem;

use super::types::{Declared, declare_text, element_name, set_element};
use super::{Form, Promise};
use crate::blocks::unsqueeze;
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::node::node;
use crate::onnx::FLOAT;
use crate::trace::Trace;

/// A shape that no model has by chance.
const BATCH: usize = 2;
const LENGTH: usize = 5;

/// An output, and what is known of it.
struct Output {
    name: String,
    element: i32,
    /// Columns of each row, if known.
    width: Option<usize>,
    shape: String,
    has_rows: bool,
    /// Whether the axis between batch and columns is absent.
    is_flat: bool,
}

/// The output that was chosen.
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) width: Option<usize>,
    pub(super) others: Vec<String>,
    pub(super) is_changed: bool,
}

/// Leaves the output that holds the token states, as 32-bit floats.
pub(super) fn adapt(graph: &mut Graph, file: &str, promise: Promise<'_>) -> Result<Chosen> {
    let outputs = outputs(graph, promise.form);
    let at = choose(&outputs, promise).ok_or_else(|| mismatch(file, promise, &outputs))?;
    let Output {
        name,
        element,
        width,
        is_flat,
        ..
    } = &outputs[at];
    let others: Vec<_> = outputs
        .iter()
        .map(|output| output.name.clone())
        .filter(|other| other != name)
        .collect();
    let mut chosen = Chosen {
        name: name.clone(),
        width: *width,
        is_changed: !others.is_empty(),
        others,
    };
    let kept = &mut graph.proto_mut().output;
    kept.retain(|output| output.name.as_ref() == Some(name));
    if *element != FLOAT {
        let cast = format!("multivec.{name}");
        for output in kept {
            set_element(output, FLOAT);
            output.name = Some(cast.clone());
        }
        let node = node("Cast", "", &[name], &[&cast]).with_int("to", i64::from(FLOAT));
        graph.proto_mut().node.push(node);
        chosen.name = cast;
        chosen.is_changed = true;
    }
    if *is_flat {
        add_axis(graph, &mut chosen);
    }
    if chosen.is_changed {
        graph.remove_dead_nodes();
    }
    Ok(chosen)
}

/// Makes `[batch, dim]` `[batch, 1, dim]`.
fn add_axis(graph: &mut Graph, chosen: &mut Chosen) {
    let mut builder = Builder::new(graph);
    let name = unsqueeze(&mut builder, &chosen.name, 1);
    builder.prepend(mem::take(&mut graph.proto_mut().node));
    builder.into_graph(graph);
    graph.proto_mut().output = vec![declare_text(&name, FLOAT, chosen.width)];
    chosen.name = name;
    chosen.is_changed = true;
}

fn outputs(graph: &Graph, form: Form) -> Vec<Output> {
    let index = ValueIndex::new(graph);
    let trace = Trace::unpadded(&index, BATCH, LENGTH);
    let outputs = graph.proto().output.iter();
    let described = outputs.filter_map(|output| {
        let name = output.name.clone()?;
        let declared = Declared::of(output);
        // What is declared may be out of date; what was traced is not.
        let traced = trace
            .shape(&name)
            .map(|shape| shape.iter().copied().map(Some).collect());
        let is_traced = traced.is_some();
        let shape: Option<Vec<Option<usize>>> = traced.or_else(|| {
            declared
                .as_ref()
                .and_then(|declared| declared.shape.clone())
        });
        let is_batch = |batch: &Option<usize>| !is_traced || *batch == Some(BATCH);
        let has_rows = match (form, shape.as_deref()) {
            (Form::Tokens, Some([batch, length, _])) => {
                // One row declared is one row a text.
                let may_be_tokens = !is_traced && *length != Some(1);
                is_batch(batch) && (may_be_tokens || *length == Some(LENGTH))
            }
            (Form::Text, Some([batch, one, _])) => is_batch(batch) && *one == Some(1),
            (Form::Text, Some([batch, columns])) => {
                is_batch(batch) && (*columns != Some(LENGTH) || keeps_columns(&index, &name))
            }
            _ => false,
        };
        let is_flat = has_rows && shape.as_ref().is_some_and(|shape| shape.len() == 2);
        Some(Output {
            has_rows,
            is_flat,
            width: shape
                .as_ref()
                .filter(|_| has_rows)
                .and_then(|shape| *shape.last()?),
            element: declared.map_or(FLOAT, |declared| declared.element),
            shape: spell(shape.as_deref(), has_rows && form == Form::Tokens),
            name,
        })
    });
    described.collect()
}

/// Whether an output has as many columns for texts of another length.
fn keeps_columns(index: &ValueIndex<'_>, name: &str) -> bool {
    let longer = Trace::unpadded(index, BATCH, LENGTH + 1);
    longer.shape(name) == Some(&[BATCH, LENGTH][..])
}

fn spell(shape: Option<&[Option<usize>]>, has_rows: bool) -> String {
    let Some(shape) = shape else {
        return "unknown shape".to_owned();
    };
    let sizes = shape.iter().enumerate().map(|(at, size)| match (at, size) {
        (0, _) if has_rows => "batch".to_owned(),
        (1, _) if has_rows => "length".to_owned(),
        (_, Some(size)) => size.to_string(),
        (_, None) => "?".to_owned(),
    });
    format!("[{}]", sizes.collect::<Vec<_>>().join(", "))
}

/// The position of the output that keeps the promise, if there is one.
fn choose(outputs: &[Output], promise: Promise<'_>) -> Option<usize> {
    let fits = |output: &Output| {
        let is_wide = |width| output.width.is_none_or(|found| found == width);
        output.has_rows && promise.width.is_none_or(is_wide)
    };
    let fitting: Vec<usize> = (0..outputs.len())
        .filter(|&at| fits(&outputs[at]))
        .collect();
    match fitting[..] {
        [only] => Some(only),
        _ => promise.names.iter().find_map(|name| {
            fitting
                .iter()
                .copied()
                .find(|&at| outputs[at].name == *name)
        }),
    }
}

fn mismatch(file: &str, promise: Promise<'_>, outputs: &[Output]) -> Error {
    let width = promise
        .width
        .map_or("dim".to_owned(), |width| width.to_string());
    let shape = match promise.form {
        Form::Tokens => format!("[batch, length, {width}]"),
        Form::Text => format!("[batch, {width}]"),
    };
    let mut expected = format!("one of {shape} of float32");
    if !promise.names.is_empty() {
        expected += &format!(
            ", or several and one of them named {}",
            promise.names.join(" or ")
        );
    }
    let found = outputs.iter().map(|output| {
        format!(
            "`{}` {} of {}",
            output.name,
            output.shape,
            element_name(output.element)
        )
    });
    Error::ModelMismatch {
        file: file.to_owned(),
        what: "outputs".to_owned(),
        expected,
        found: found.collect::<Vec<_>>().join(", "),
    }
}
