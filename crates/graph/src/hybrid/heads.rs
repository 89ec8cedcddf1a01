//! Heads beside a transformer, in files of their own.

use std::mem;

use super::{HybridOutputs, TokenRows, Value, WeightsForm};
use crate::blocks::product;
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::interface::declare;
use crate::onnx::{FLOAT, TensorProto};
use crate::safetensors::WeightIndex;

/// Adds the heads to a graph that gives the states of tokens, `[batch, length,
/// hidden]`, under the name `states`: the state of the first token, which is the
/// vector of a text; one linear layer to the weights of tokens, and one to their
/// vectors. Each file has the tensors `weight` and perhaps `bias`.
///
/// # Errors
/// [`Error::ModelMismatch`] for weights that are absent or of other shapes.
pub fn append_hybrid_heads(
    graph: &mut Graph,
    states: &str,
    [weights, tokens]: [&WeightIndex; 2],
) -> Result<HybridOutputs> {
    let (of_weights, of_tokens) = (Linear::read(weights)?, Linear::read(tokens)?);
    let hidden = of_tokens.inner;
    for (what, expected, found) in [
        ("columns of `weight`", hidden, of_weights.inner),
        ("rows of `weight`", 1, of_weights.outer),
    ] {
        if expected != found {
            let file = weights.file_names();
            return Err(Error::mismatch(
                &file,
                what,
                expected.to_string(),
                found.to_string(),
            ));
        }
    }
    let mut builder = Builder::new(graph);
    let first = builder.int(0);
    let text = builder.add_with("Gather", &[states, &first], |node| node.with_int("axis", 1));
    let found = HybridOutputs {
        text_width: hidden,
        token_width: of_tokens.outer,
        text: Value::float(text),
        weights: Value::float(of_weights.append(&mut builder, states)),
        weights_form: WeightsForm::Column,
        tokens: Value::float(of_tokens.append(&mut builder, states)),
        token_rows: TokenRows::All,
    };
    builder.prepend(mem::take(&mut graph.proto_mut().node));
    builder.into_graph(graph);
    graph.proto_mut().output = vec![
        declare(&found.weights.name, FLOAT, Some(1)),
        declare(&found.tokens.name, FLOAT, Some(found.token_width)),
    ];
    Ok(found)
}

impl Value {
    fn float(name: String) -> Self {
        Self {
            name,
            element: FLOAT,
        }
    }
}

/// A linear layer, `[outer, inner]`.
struct Linear {
    inner: usize,
    outer: usize,
    weight: TensorProto,
    bias: Option<TensorProto>,
}

impl Linear {
    fn read(index: &WeightIndex) -> Result<Self> {
        const WEIGHT: &str = "weight";
        const BIAS: &str = "bias";
        let file = index.file_names();
        let mismatch = |what: &str, expected: &str, found: String| {
            Err(Error::mismatch(
                &file,
                format!("the tensor `{what}`"),
                expected,
                found,
            ))
        };
        let Some(weight) = index.get(WEIGHT) else {
            let names: Vec<&str> = index.names().collect();
            return mismatch(
                WEIGHT,
                "[rows, columns]",
                format!("none among {}", names.join(", ")),
            );
        };
        let sizes: Option<Vec<usize>> = weight
            .shape
            .iter()
            .map(|&size| size.try_into().ok())
            .collect();
        let Some(&[outer, inner]) = sizes.as_deref() else {
            return mismatch(WEIGHT, "[rows, columns]", format!("{:?}", weight.shape));
        };
        // Both layers name their tensors alike.
        let named = |name: &str, tensor: TensorProto| TensorProto {
            name: Some(format!("{file}.{name}")),
            ..tensor
        };
        let bias = match index.get(BIAS) {
            None => None,
            Some(bias) if bias.shape == [outer as u64] => Some(named(BIAS, bias.to_tensor(BIAS)?)),
            Some(bias) => {
                return mismatch(BIAS, &format!("[{outer}]"), format!("{:?}", bias.shape));
            }
        };
        Ok(Self {
            inner,
            outer,
            weight: named(WEIGHT, weight.to_tensor(WEIGHT)?),
            bias,
        })
    }

    fn append(self, builder: &mut Builder, rows: &str) -> String {
        let weight = builder.weight(self.weight);
        let product = product(builder, rows, &weight);
        match self.bias {
            None => product,
            Some(bias) => {
                let bias = builder.weight(bias);
                builder.add("Add", &[&product, &bias])
            }
        }
    }
}
