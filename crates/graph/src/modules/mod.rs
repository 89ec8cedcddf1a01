//! What follows the encoder: linear layers, normalization and pooling of sparse
//! vectors, appended to any graph.

mod answers;
mod dense;
mod splade;
#[cfg(test)]
mod tests;

use std::mem;

use crate::blocks::l2_normalize;
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::onnx::ValueInfoProto;

pub use answers::append_answers;
pub use dense::Dense;
pub use splade::{SpladeActivation, SpladePooling, SpladeStrategy, append_splade};

/// What bounds norms from below.
///
/// Source: PyTorch, `torch.nn.functional.normalize`.
const SMALLEST_NORM: f32 = 1e-12;

/// Appends L2 normalization over the last axis to a graph's output, `[batch,
/// length, width]`. The result, whose name is returned, is the only output then.
///
/// # Errors
/// [`Error::ModelMismatch`] if the graph has no output of that name; `file` is
/// the graph's name in errors.
pub fn append_normalization(graph: &mut Graph, file: &str, output: &str) -> Result<String> {
    append(graph, file, output, |builder, x| {
        Ok(l2_normalize(builder, x, SMALLEST_NORM))
    })
}

/// Appends nodes to an output, and makes what `add` returns the only one, of
/// the same type.
fn append(
    graph: &mut Graph,
    file: &str,
    output: &str,
    add: impl FnOnce(&mut Builder, &str) -> Result<String>,
) -> Result<String> {
    let mut outputs = graph.proto().output.iter();
    let Some(declared) = outputs
        .find(|value| value.name.as_deref() == Some(output))
        .cloned()
    else {
        let names: Vec<&str> = graph.outputs().collect();
        let found = names.join(", ");
        return Err(Error::mismatch(
            file,
            "outputs",
            format!("`{output}`"),
            found,
        ));
    };
    let mut builder = Builder::new(graph);
    let result = add(&mut builder, output)?;
    let nodes = mem::take(&mut graph.proto_mut().node);
    builder.prepend(nodes);
    builder.into_graph(graph);
    graph.proto_mut().output = vec![ValueInfoProto {
        name: Some(result.clone()),
        ..declared
    }];
    Ok(result)
}
