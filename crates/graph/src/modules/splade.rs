//! Weights of the vocabulary for each text, from logits for each token.

use super::append;
use crate::blocks::Mask;
use crate::builder::Builder;
use crate::error::Result;
use crate::graph::Graph;
use crate::interface::{declare_text, declared_columns};
use crate::onnx::{FLOAT, NodeProto};

/// How logits of tokens become weights of a text.
///
/// Source: Formal et al., SPLADE v2, 2021; sentence-transformers,
/// `SpladePooling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpladePooling {
    /// How the rows of tokens are joined.
    pub strategy: SpladeStrategy,
    /// What is applied to logits.
    pub activation: SpladeActivation,
}

impl SpladePooling {
    /// Pooling of that kind.
    pub fn new(strategy: SpladeStrategy, activation: SpladeActivation) -> Self {
        Self {
            strategy,
            activation,
        }
    }
}

/// How the rows of tokens are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpladeStrategy {
    /// The largest value of each column.
    Max,
    /// The sum of each column.
    Sum,
}

/// What is applied to logits before rows are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpladeActivation {
    /// `ln(1 + max(x, 0))`
    Relu,
    /// `ln(1 + ln(1 + max(x, 0)))`
    Log1pRelu,
}

impl SpladeActivation {
    fn apply(self, builder: &mut Builder, x: &str) -> String {
        let once = log1p_relu(builder, x);
        match self {
            Self::Relu => once,
            Self::Log1pRelu => log1p(builder, &once),
        }
    }
}

/// Appends the pooling to a graph's output, `[batch, length, vocabulary]`, which
/// becomes `[batch, 1, vocabulary]`. The result, whose name is returned, is the
/// only output then. `file` is the graph's name in errors.
///
/// # Errors
/// [`Error::ModelMismatch`](crate::Error::ModelMismatch) if the graph has no
/// output of that name.
pub fn append_splade(
    graph: &mut Graph,
    file: &str,
    output: &str,
    pooling: SpladePooling,
) -> Result<String> {
    let mut outputs = graph.proto().output.iter();
    let declared = outputs.find(|value| value.name.as_deref() == Some(output));
    let width = declared.and_then(declared_columns);
    let result = append(graph, file, output, |builder, logits| {
        Ok(pool(builder, logits, pooling))
    })?;
    graph.proto_mut().output = vec![declare_text(&result, FLOAT, width)];
    Ok(result)
}

fn pool(builder: &mut Builder, logits: &str, pooling: SpladePooling) -> String {
    let activation = pooling.activation;
    // Activations give nothing below 0, which padding becomes.
    let tokens = Mask::column_of_tokens(builder);
    let logits = builder.add("Mul", &[logits, &tokens]);
    let keep = |node: NodeProto| node.with_int("keepdims", 1);
    match pooling.strategy {
        // Activations keep the order of values.
        SpladeStrategy::Max => {
            let largest = builder.add_over("ReduceMax", &logits, &[1], 18, keep);
            activation.apply(builder, &largest)
        }
        SpladeStrategy::Sum => {
            let weights = activation.apply(builder, &logits);
            builder.add_over("ReduceSum", &weights, &[1], 13, keep)
        }
    }
}

fn log1p_relu(builder: &mut Builder, x: &str) -> String {
    let positive = builder.add("Relu", &[x]);
    log1p(builder, &positive)
}

fn log1p(builder: &mut Builder, x: &str) -> String {
    let one = builder.float(1.);
    let sum = builder.add("Add", &[x, &one]);
    builder.add("Log", &[&sum])
}
