//! The inputs and the output of a graph, checked against what an encoder has.

use multivec_core::{Error, Result};
use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const TYPES: &str = "token_type_ids";

pub(super) struct Signature {
    pub(super) uses_token_type_ids: bool,
    pub(super) output: String,
    pub(super) dim: Option<usize>,
}

impl Signature {
    pub(super) fn read(file: &str, session: &Session) -> Result<Self> {
        let mismatch = |what: String, expected: &str, found: String| Error::ModelMismatch {
            file: file.to_owned(),
            what,
            expected: expected.to_owned(),
            found,
        };
        let inputs = session.inputs();
        for name in [IDS, MASK] {
            if !inputs.iter().any(|input| input.name() == name) {
                return Err(mismatch(
                    "inputs".to_owned(),
                    &format!("`{name}` among them"),
                    names(inputs),
                ));
            }
        }
        for input in inputs {
            let name = input.name();
            if ![IDS, MASK, TYPES].contains(&name) {
                return Err(mismatch(
                    "inputs".to_owned(),
                    &format!("`{IDS}`, `{MASK}` and perhaps `{TYPES}`"),
                    names(inputs),
                ));
            }
            if shape_of(input, TensorElementType::Int64).is_none_or(|shape| shape.len() != 2) {
                return Err(mismatch(
                    format!("input `{name}`"),
                    "[batch, length] of int64",
                    input.dtype().to_string(),
                ));
            }
        }
        let mut states = session.outputs().iter().filter_map(|output| {
            let shape = shape_of(output, TensorElementType::Float32)?;
            (shape.len() == 3).then(|| (output.name().to_owned(), shape[2]))
        });
        let Some((output, dim)) = states.next() else {
            return Err(mismatch(
                "outputs".to_owned(),
                "one of [batch, length, dim] of float32",
                session
                    .outputs()
                    .iter()
                    .map(|output| format!("`{}` {}", output.name(), output.dtype()))
                    .collect::<Vec<_>>()
                    .join(", "),
            ));
        };
        Ok(Self {
            uses_token_type_ids: inputs.iter().any(|input| input.name() == TYPES),
            output,
            dim: usize::try_from(dim).ok(),
        })
    }
}

fn names(outlets: &[Outlet]) -> String {
    outlets
        .iter()
        .map(|outlet| format!("`{}`", outlet.name()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The shape of a tensor of the type given, -1 for what is not fixed.
fn shape_of(outlet: &Outlet, wanted: TensorElementType) -> Option<Vec<i64>> {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } if *ty == wanted => Some(shape.to_vec()),
        _ => None,
    }
}
