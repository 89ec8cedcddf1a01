//! A graph that was exported, with or without the modules.

use multivec_graph::{Graph, Promise, adapt_interface};

use super::ModelStore;
use super::append::{Target, append};
use crate::error::Result;
use crate::model::description::{Format, ModelDescription, Module};

/// Names of outputs that modules have yet to be applied to.
const STATES: [&str; 2] = ["token_embeddings", "last_hidden_state"];

/// What [`complete_graph`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// The paths of the files that hold the weights of modules that were added.
    pub files: Vec<String>,
    /// Whether the graph is not what it was.
    pub is_changed: bool,
}

/// Gives an exported graph the interface of an encoder. A graph whose output is
/// what the transformer gives gets the modules behind it; `file` names it in
/// messages.
///
/// # Errors
/// [`Error::ModelMismatch`](crate::Error::ModelMismatch) if no output, or more
/// than one, is what the description promises, and those of `store`.
pub fn complete_graph(
    description: &ModelDescription,
    graph: &mut Graph,
    file: &str,
    store: &impl ModelStore,
) -> Result<Completed> {
    let first = description.modules.iter().find_map(|module| match module {
        Module::Dense(dense) => Some(dense.in_features),
        Module::Normalize => None,
    });
    let complete = Promise {
        width: description.dim(),
        ..Promise::default()
    };
    let Some(width) = first else {
        let is_described = !description.modules.is_empty() || description.transformer.is_some();
        let names: &[&str] = if is_described { &STATES } else { &[] };
        let interface = match adapt_interface(graph, file, Promise { names, ..complete }) {
            // A single output of another width contradicts the configuration,
            // which is found later and names both.
            Err(error) if description.format == Format::Exported => {
                adapt_interface(graph, file, Promise::default()).map_err(|_| error)?
            }
            other => other?,
        };
        return Ok(Completed {
            files: Vec::new(),
            is_changed: interface.is_changed,
        });
    };
    let states = Promise {
        width: Some(width),
        names: &STATES,
        ..Promise::default()
    };
    let mut bare = graph.clone();
    let interface = match adapt_interface(&mut bare, file, states) {
        // Square layers leave open whether they have been applied; names tell.
        Ok(interface)
            if description.dim() != Some(width) || STATES.contains(&interface.output.as_str()) =>
        {
            *graph = bare;
            let target = Target {
                graph,
                file,
                output: &interface.output,
                index: None,
            };
            let files = append(description, target, store)?;
            return Ok(Completed {
                files,
                is_changed: true,
            });
        }
        Ok(_) => adapt_interface(graph, file, complete)?,
        // The first error tells what is missing.
        Err(error) => adapt_interface(graph, file, complete).map_err(|_| error)?,
    };
    Ok(Completed {
        files: Vec::new(),
        is_changed: interface.is_changed,
    })
}
