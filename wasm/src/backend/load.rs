//! From the bytes of a model to a plan.

use multivec_core::encoder::Normalization;
use multivec_core::graph::{self, Graph, Layers};
use multivec_core::{Error, GraphForm, Result};
use tract_core::internal::*;

use super::{ENGINE, wiring};

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

pub(super) fn load(
    file: &str,
    bytes: graph::Bytes,
    normalization: Normalization,
    is_published: bool,
) -> Result<Loaded> {
    let (mut graph, form) = rewrite(file, bytes, normalization, is_published)?;
    let vocabulary = graph::vocabulary_size(&graph);
    let inputs = inputs(file, &graph)?;
    let layers = graph::pack_linears(&mut graph, Layers::All, file, &|tensor| {
        Err(Error::InvalidModel {
            file: file.to_owned(),
            engine: ENGINE,
            source: format!(
                "expected the tensor `{}` within the model, found it in a file beside it",
                tensor.name.as_deref().unwrap_or_default()
            )
            .into(),
        })
    })?;
    // The bytes are held until their tensors are read, and no longer.
    let plan = wiring::wire(&graph, &layers).and_then(|model| {
        drop(graph);
        model.into_optimized()?.into_runnable()
    });
    let plan = plan.map_err(|error| Error::InvalidModel {
        file: file.to_owned(),
        engine: ENGINE,
        source: format!("{error:#}").into(),
    })?;
    let dim = dim(file, &plan)?;
    Ok(Loaded {
        form,
        inputs,
        plan,
        dim,
        vocabulary,
    })
}

/// Rewrites what tract cannot read or is slow at.
fn rewrite(
    file: &str,
    bytes: graph::Bytes,
    normalization: Normalization,
    is_published: bool,
) -> Result<(Graph, GraphForm)> {
    let mut graph = Graph::parse(file, bytes)?;
    let form = match is_published {
        true => GraphForm::Published,
        false => GraphForm::from(graph::fuse(&mut graph)),
    };
    // What is not fused.
    graph::replace_mask_lookup(&mut graph);
    graph::lift_nan_guards(&mut graph);
    // Many times as fast as tract's integer kernel for AVX2. In a browser the
    // gain is small and memory is dear.
    if cfg!(not(target_arch = "wasm32")) {
        graph::float_integer_products(&mut graph);
    }
    if normalization == Normalization::Off {
        graph::remove_final_normalization(&mut graph);
    }
    Ok((graph, form))
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
