//! Weights of the vocabulary for each text, from logits for each token.

use super::append;
use crate::blocks::pool_tokens;
use crate::error::Result;
use crate::graph::Graph;
use crate::interface::{declare_text, declared_columns};
use crate::onnx::FLOAT;
use multivec_kernels::{Join, TokenPooling};

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

impl From<SpladePooling> for TokenPooling {
    fn from(pooling: SpladePooling) -> Self {
        Self {
            join: match pooling.strategy {
                SpladeStrategy::Max => Join::Max,
                SpladeStrategy::Sum => Join::Sum,
            },
            logs: match pooling.activation {
                SpladeActivation::Relu => 1,
                SpladeActivation::Log1pRelu => 2,
            },
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
        Ok(pool_tokens(builder, logits, pooling.into()))
    })?;
    graph.proto_mut().output = vec![declare_text(&result, FLOAT, width)];
    Ok(result)
}
