//! Graphs of models of several kinds.

use multivec_graph::hybrid::{HybridPart, append_hybrid_heads, keep_hybrid_part};
use multivec_graph::safetensors::WeightIndex;
use multivec_graph::{Form, Graph, Promise, adapt_interface};

use super::append::Target;
use super::{ModelStore, STATES};
use crate::error::{Error, Result};
use crate::model::description::ModelDescription;
use crate::model::kind::{HybridDescription, HybridHeads};

/// Adds the heads behind a transformer, and keeps what is wanted of them.
pub(super) fn append_hybrid(
    hybrid: &HybridDescription,
    target: Target<'_>,
    store: &impl ModelStore,
) -> Result<()> {
    let Some(heads) = &hybrid.heads else {
        return Err(Error::missing_file(
            store.location(),
            "the heads of a model of several kinds",
            "an exported graph that has them",
        ));
    };
    let [weights, tokens] = indices(heads, store)?;
    let outputs = append_hybrid_heads(target.graph, target.output, [&weights, &tokens])?;
    keep_hybrid_part(target.graph, &outputs, hybrid.part);
    Ok(())
}

fn indices(heads: &HybridHeads, store: &impl ModelStore) -> Result<[WeightIndex; 2]> {
    let index = |path: &str| {
        let mut index = WeightIndex::new();
        store.index(path, &mut index)?;
        Ok::<_, Error>(index)
    };
    Ok([index(&heads.weights)?, index(&heads.tokens)?])
}

/// An exported graph, and its name in messages.
pub(super) struct Exported<'a> {
    pub(super) graph: &'a mut Graph,
    pub(super) file: &'a str,
}

/// Keeps what is wanted of an exported graph, which has the three outputs, or
/// the states that heads are added to.
pub(super) fn complete_hybrid(
    description: &ModelDescription,
    hybrid: &HybridDescription,
    Exported { graph, file }: Exported<'_>,
    store: &impl ModelStore,
) -> Result<()> {
    let form = match hybrid.part {
        HybridPart::Text => Form::Text,
        _ => Form::Tokens,
    };
    if let Some(outputs) = description.hybrid_outputs(graph) {
        keep_hybrid_part(graph, &outputs, hybrid.part);
    } else {
        let states = Promise {
            width: description.states_width(),
            names: &STATES,
            form: Form::Tokens,
        };
        let output = adapt_interface(graph, file, states)?.output;
        let target = Target {
            graph,
            file,
            output: &output,
            index: None,
        };
        append_hybrid(hybrid, target, store)?;
    }
    let promise = Promise {
        form,
        ..Promise::default()
    };
    adapt_interface(graph, file, promise)?;
    Ok(())
}
