//! From a graph to a plan.

use multivec_core::{Error, GraphForm, Result};
use multivec_graph::lower::{self, Layers};
use multivec_graph::{self as graph, Graph, passes};
use tract_core::internal::*;

use super::ENGINE;
use super::graph::TractGraph;
use super::message::message;
use super::node::Parts;
use super::wiring::{self, Wired};

/// The inputs that an encoder's graph may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Ids,
    Mask,
    Types,
}

pub(super) struct Loaded {
    pub(super) form: GraphForm,
    /// Operators that tract-onnx wired.
    pub(super) fallbacks: Vec<String>,
    /// In the order in which the plan takes them.
    pub(super) inputs: Vec<Input>,
    pub(super) plan: Arc<TypedRunnableModel>,
    pub(super) dim: usize,
    /// Rows of the embedding table, where it was recognized.
    pub(super) vocabulary: Option<usize>,
}

impl TractGraph<'_> {
    pub(super) fn load(self) -> Result<Loaded> {
        let Self {
            file,
            mut graph,
            form,
            external,
            granularity,
            threads,
            ..
        } = self;
        rewrite(&mut graph);
        let vocabulary = graph::vocabulary_size(&graph);
        let inputs = inputs(file, &graph)?;
        let layers = lower::pack_linears(&mut graph, Layers::All, file, external)?;
        let tables = lower::pack_embeddings(&mut graph, file, external)?;
        let invalid = |error: TractError| Error::invalid_model(file, ENGINE, message(&error));
        let parts = Parts {
            layers: &layers,
            tables: &tables,
            granularity,
            threads,
            external,
        };
        let Wired { model, fallbacks } = wiring::wire(&graph, &parts).map_err(invalid)?;
        // Frees the weights, which are in the model by now.
        drop(graph);
        let plan = model
            .into_optimized()
            .and_then(TypedModel::into_runnable)
            .map_err(invalid)?;
        let dim = dim(file, &plan)?;
        Ok(Loaded {
            form,
            fallbacks: fallbacks.into_iter().collect(),
            inputs,
            plan,
            dim,
            vocabulary,
        })
    }
}

/// Rewrites unfused operators that tract cannot run or is slow at.
fn rewrite(graph: &mut Graph) {
    passes::expand_composites(graph);
    passes::replace_known_selections(graph);
    passes::replace_mask_lookup(graph);
    passes::lift_nan_guards(graph);
    // Products of floats are many times as fast as tract's integer kernel for
    // AVX2. In a browser the gain is small and memory is scarce.
    if cfg!(not(target_arch = "wasm32")) {
        passes::float_integer_products(graph);
    }
}

fn inputs(file: &str, graph: &Graph) -> Result<Vec<Input>> {
    let inputs = graph
        .free_inputs()
        .map(|name| match name {
            "input_ids" => Ok(Input::Ids),
            "attention_mask" => Ok(Input::Mask),
            "token_type_ids" => Ok(Input::Types),
            other => Err(mismatch(file, "inputs", EXPECTED_INPUTS, other)),
        })
        .collect::<Result<Vec<_>>>()?;
    if !inputs.contains(&Input::Ids) {
        return Err(mismatch(file, "inputs", EXPECTED_INPUTS, "no input_ids"));
    }
    if !inputs.contains(&Input::Mask) {
        return Err(mismatch(
            file,
            "inputs",
            EXPECTED_INPUTS,
            "no attention_mask",
        ));
    }
    Ok(inputs)
}

const EXPECTED_INPUTS: &str = "input_ids, attention_mask and optionally token_type_ids";

/// Columns of the output, `[batch, length, dim]`.
fn dim(file: &str, plan: &TypedRunnableModel) -> Result<usize> {
    let expected = "[batch, length, dim] of f32";
    let fact = match plan.model().outputs.as_slice() {
        &[outlet] => plan.model().outlet_fact(outlet).ok(),
        _ => None,
    };
    let Some(fact) = fact else {
        let found = format!("{} outputs", plan.model().outputs.len());
        return Err(mismatch(file, "output", expected, &found));
    };
    match fact.shape.dims() {
        [_, _, dim] if fact.datum_type == f32::datum_type() => {
            dim.to_i64().ok().and_then(|dim| usize::try_from(dim).ok())
        }
        _ => None,
    }
    .ok_or_else(|| mismatch(file, "output", expected, &format!("{fact:?}")))
}

fn mismatch(file: &str, what: &str, expected: &str, found: &str) -> Error {
    Error::model_mismatch(file, what, expected, found)
}
