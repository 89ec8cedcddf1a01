//! A graph that was exported, with or without the modules.

use multivec_graph::modules::append_answers;
use multivec_graph::{Form, Graph, Promise, adapt_interface};

use super::append::{Target, append};
use super::hybrid::{Exported, complete_hybrid};
use super::{ModelStore, STATES};
use crate::error::Result;
use crate::model::description::{Format, ModelDescription};
use crate::model::kind::{Answers, CrossDescription, HeadDescription};
use crate::model::layers::Module;

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
    let mut completed = match description.head {
        HeadDescription::MultiVector => complete_tokens(description, graph, file, store),
        HeadDescription::Hybrid(ref hybrid) => {
            complete_hybrid(description, hybrid, Exported { graph, file }, store).map(|()| {
                Completed {
                    files: Vec::new(),
                    is_changed: true,
                }
            })
        }
        HeadDescription::CrossEncoder(CrossDescription {
            answers: Some(answers),
            ..
        }) => complete_answers(answers, graph, file),
        _ => complete_texts(description, graph, file, store),
    }?;
    completed.files.extend(description.head_files());
    Ok(completed)
}

/// A causal graph, which gives logits of the whole vocabulary for each token.
fn complete_answers(answers: Answers, graph: &mut Graph, file: &str) -> Result<Completed> {
    let of_tokens = Promise {
        width: None,
        names: &LOGITS,
        form: Form::Tokens,
    };
    let output = adapt_interface(graph, file, of_tokens)?.output;
    append_answers(graph, file, &output, &answers.ids())?;
    Ok(Completed {
        files: Vec::new(),
        is_changed: true,
    })
}

/// Names of outputs with one row for each text.
const SENTENCES: [&str; 2] = ["sentence_embedding", "sentence_embeddings"];

/// Names of outputs with logits.
const LOGITS: [&str; 2] = ["logits", "scores"];

/// A graph of texts: what the transformer gives, which the head or a pooling in
/// the graph reads, or one row for each text.
fn complete_texts(
    description: &ModelDescription,
    graph: &mut Graph,
    file: &str,
    store: &impl ModelStore,
) -> Result<Completed> {
    let of_tokens = |names| Promise {
        width: None,
        names,
        form: Form::Tokens,
    };
    let of_texts = |names, width| Promise {
        width,
        names,
        form: Form::Text,
    };
    let is_sparse = matches!(description.head, HeadDescription::Sparse(_));
    let tokens = match description.head {
        HeadDescription::CrossEncoder(_) => None,
        HeadDescription::Sparse(_) => Some(of_tokens(&LOGITS)),
        _ => Some(Promise {
            width: description.states_width(),
            ..of_tokens(&STATES)
        }),
    };
    let mut bare = graph.clone();
    let found = tokens.map(|promise| adapt_interface(&mut bare, file, promise));
    if let Some(Ok(interface)) = found {
        *graph = bare;
        let is_changed = interface.is_changed || is_sparse || !description.modules.is_empty();
        let target = Target {
            graph,
            file,
            output: &interface.output,
            index: None,
        };
        let files = append(description, target, store)?;
        return Ok(Completed { files, is_changed });
    }
    let promise = match description.head {
        HeadDescription::CrossEncoder(_) => of_texts(&LOGITS, None),
        HeadDescription::Sparse(_) => of_texts(&SENTENCES, None),
        _ => of_texts(&SENTENCES, description.dim()),
    };
    let interface = adapt_interface(graph, file, promise);
    // What was expected first is what is missing.
    let interface = interface.map_err(|error| match found {
        Some(Err(first)) => first,
        _ => error,
    })?;
    Ok(Completed {
        files: Vec::new(),
        is_changed: interface.is_changed,
    })
}

/// A graph of tokens.
fn complete_tokens(
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
