//! From a graph to a plan.

use multivec_core::{Error, GraphForm, Result};
use multivec_graph::onnx::TensorProto;
use multivec_graph::{self as graph, Graph, Layers};
use tract_core::internal::*;

use super::backend::ENGINE;
use super::graph::TractGraph;
use super::node::Parts;
use super::wiring;

/// What an encoder's graph may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Ids,
    Mask,
    Types,
}

pub(super) struct Loaded {
    pub(super) form: GraphForm,
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
        let layers = graph::pack_linears(&mut graph, Layers::All, file, external)?;
        let tables = graph::pack_embeddings(&mut graph, file, external)?;
        let invalid = |error: TractError| Error::InvalidModel {
            file: file.to_owned(),
            engine: ENGINE,
            source: format!("{error:#}").into(),
        };
        let parts = Parts {
            layers: &layers,
            tables: &tables,
            granularity,
            threads,
            external,
        };
        let model = wiring::wire(&graph, &parts).map_err(invalid)?;
        // The bytes are held until their tensors are read, and no longer.
        drop(graph);
        let plan = model
            .into_optimized()
            .and_then(TypedModel::into_runnable)
            .map_err(invalid)?;
        let dim = dim(file, &plan)?;
        Ok(Loaded {
            form,
            inputs,
            plan,
            dim,
            vocabulary,
        })
    }
}

/// Reads no tensors, where there are no files.
pub(super) fn no_files(file: &str) -> impl Fn(&TensorProto) -> graph::Result<graph::Bytes> {
    move |tensor| {
        let name = tensor.name.as_deref().unwrap_or_default();
        let found =
            format!("expected the tensor `{name}` within the model, found it in a file beside it");
        Err(graph::Error::invalid(file, found))
    }
}

/// Rewrites what tract cannot read or is slow at, where it is not fused.
fn rewrite(graph: &mut Graph) {
    graph::replace_mask_lookup(graph);
    graph::lift_nan_guards(graph);
    // Many times as fast as tract's integer kernel for AVX2. In a browser the
    // gain is small and memory is dear.
    if cfg!(not(target_arch = "wasm32")) {
        graph::float_integer_products(graph);
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
    for (needed, name) in [
        (Input::Ids, "no input_ids"),
        (Input::Mask, "no attention_mask"),
    ] {
        if !inputs.contains(&needed) {
            return Err(mismatch(file, "inputs", EXPECTED_INPUTS, name));
        }
    }
    Ok(inputs)
}

const EXPECTED_INPUTS: &str = "input_ids, attention_mask and perhaps token_type_ids";

/// Columns of the output.
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
    Error::ModelMismatch {
        file: file.to_owned(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}
