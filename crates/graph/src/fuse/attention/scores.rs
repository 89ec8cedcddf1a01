//! Scores of attention: the product of queries and keys, and what is done to
//! it before the softmax.

use super::origins::Origins;
use super::terms::{Change, LOW, Term};
use crate::onnx::NodeProto;
use crate::trace::{Operands, Trace};

/// Scores as a product of queries and keys.
pub(super) struct Scores<'g> {
    pub(super) product: &'g NodeProto,
    pub(super) scale: f32,
    pub(super) softcap: Option<f32>,
    pub(super) terms: Vec<Term>,
}

/// Goes up from what the softmax reads to the product.
pub(super) fn find<'g>(
    trace: &Trace<'g>,
    origins: &Origins<'g>,
    value: &'g str,
) -> Option<Scores<'g>> {
    let mut value = value;
    let mut factor = 1.;
    let mut softcap = None;
    let mut terms = Vec::new();
    // Exporters write a handful of nodes; the bound guards against cycles.
    for _ in 0..24 {
        let node = trace.index().producer(value)?;
        let number = |name: &str| trace.get(name)?.uniform();
        // What is added must be neither scaled nor capped with the scores.
        let is_last = factor == 1. && softcap.is_none();
        let mut push = |change| {
            terms.push(Term {
                change,
                shape: trace.shape(value).unwrap_or_default().to_vec(),
            });
        };
        value = match (node.op_type.as_deref()?, node.input.as_slice()) {
            ("MatMul", [_, _]) if node.is("MatMul") => {
                return Some(Scores {
                    product: node,
                    scale: factor * softcap.unwrap_or(1.),
                    softcap,
                    terms,
                });
            }
            ("Cast" | "Identity", [inner]) => inner,
            ("Reshape" | "Unsqueeze" | "Squeeze" | "Expand", [inner, ..])
                if size(trace, inner)? == size(trace, value)? =>
            {
                inner
            }
            ("Add", operands) if is_last => {
                let Operands { opaque, known } = origins.operands(operands)?;
                push(Change::Added(known.to_owned()));
                opaque
            }
            ("Max", operands) => {
                let Operands { opaque, known } = origins.operands(operands)?;
                // Keeps sums of masks finite.
                (number(known)? <= LOW).then_some(opaque)?
            }
            ("Mul", operands) => {
                let Operands { opaque, known } = origins.operands(operands)?;
                factor *= number(known)?;
                opaque
            }
            ("Div", [scores, divisor]) => {
                factor /= number(divisor)?;
                scores
            }
            ("Tanh", [scores]) if softcap.is_none() && factor > 0. => {
                softcap = Some(factor);
                factor = 1.;
                scores
            }
            ("Where", [condition, choice @ ..]) if !origins.has_texts(condition) && is_last => {
                let Operands { opaque, known } = origins.operands(choice)?;
                push(Change::Selected {
                    condition: condition.clone(),
                    // The first operand is taken where the condition holds.
                    keeps: choice.first().is_some_and(|first| first == opaque),
                    fill: number(known)?,
                });
                opaque
            }
            _ => return None,
        };
    }
    None
}

fn size(trace: &Trace<'_>, value: &str) -> Option<usize> {
    Some(trace.shape(value)?.iter().product())
}
