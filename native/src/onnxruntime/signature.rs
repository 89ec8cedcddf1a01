//! The inputs and the output of a graph, checked to be those of an encoder.

use std::borrow::Cow;

use multivec_core::batch::TokenBatch;
use multivec_core::{Error, Result};
use ort::session::{NoSelectedOutputs, RunOptions, Session, SessionOutputs};
use ort::value::{DynValue, Outlet, Tensor, TensorElementType, TensorRef, ValueType};

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const TYPES: &str = "token_type_ids";

/// Token states, `[batch, length, dim]`.
#[derive(Debug, PartialEq)]
pub(super) struct States {
    pub(super) shape: Vec<i64>,
    pub(super) data: Vec<f32>,
}

impl States {
    /// Copies an output from the memory of the CPU.
    fn copied(output: &DynValue) -> ort::Result<Self> {
        let (shape, data) = output.try_extract_tensor::<f32>()?;
        Ok(Self {
            shape: shape.to_vec(),
            data: data.to_vec(),
        })
    }
}

/// A batch, and the options of its run.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) batch: &'a TokenBatch,
    pub(super) options: &'a RunOptions<NoSelectedOutputs>,
}

pub(super) struct Signature {
    pub(super) uses_token_type_ids: bool,
    pub(super) output: String,
    pub(super) dim: Option<usize>,
}

impl Signature {
    pub(super) fn read(file: &str, session: &Session) -> Result<Self> {
        let mismatch = |what: String, expected: &str, found: String| {
            Error::model_mismatch(file, what, expected, found)
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

impl Signature {
    pub(super) fn run<'a>(
        &self,
        session: &'a mut Session,
        Run { batch, options }: Run<'a>,
    ) -> ort::Result<SessionOutputs<'a>> {
        let shape = [batch.rows, batch.length];
        let types = self.types(batch);
        let tensor = |values| TensorRef::<i64>::from_array_view((shape, values));
        let mut inputs = ort::inputs! {
            IDS => tensor(batch.input_ids.as_slice())?,
            MASK => tensor(batch.attention_mask.as_slice())?,
        };
        if let Some(types) = &types {
            inputs.push((TYPES.into(), tensor(types)?.into()));
        }
        session.run_with_options(inputs, options)
    }

    /// Runs a session and copies the token states.
    pub(super) fn states(&self, session: &mut Session, run: Run<'_>) -> ort::Result<States> {
        self.states_of(&self.run(session, run)?)
    }

    /// The states among the outputs of a run.
    pub(super) fn states_of(&self, outputs: &SessionOutputs<'_>) -> ort::Result<States> {
        States::copied(&outputs[self.output.as_str()])
    }

    /// The inputs as values of their own, which a binding requires.
    pub(super) fn owned_inputs(
        &self,
        batch: &TokenBatch,
    ) -> ort::Result<Vec<(&'static str, Tensor<i64>)>> {
        let tensor = |values| Tensor::from_array(([batch.rows, batch.length], values));
        let mut inputs = vec![
            (IDS, tensor(batch.input_ids.clone())?),
            (MASK, tensor(batch.attention_mask.clone())?),
        ];
        if let Some(types) = self.types(batch) {
            inputs.push((TYPES, tensor(types.into_owned())?));
        }
        Ok(inputs)
    }

    /// The types of a batch's tokens, if the graph takes them.
    fn types<'a>(&self, batch: &'a TokenBatch) -> Option<Cow<'a, [i64]>> {
        let zeros = || vec![0; batch.input_ids.len()].into();
        let types = || batch.token_type_ids.as_deref().map(Cow::Borrowed);
        self.uses_token_type_ids
            .then(|| types().unwrap_or_else(zeros))
    }
}

fn names(outlets: &[Outlet]) -> String {
    outlets
        .iter()
        .map(|outlet| format!("`{}`", outlet.name()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The shape of a tensor with elements of type `wanted`; -1 for a dynamic size.
fn shape_of(outlet: &Outlet, wanted: TensorElementType) -> Option<Vec<i64>> {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } if *ty == wanted => Some(shape.to_vec()),
        _ => None,
    }
}
