//! The two parts of every layer, by the names of their weights.

use super::draft::Draft;
use super::parameters::{Bias, RmsNorm, Scale, Sizes};
use crate::blocks::{Activation, Attention, Heads, Mask, Rotary};
use crate::builder::Builder;
use crate::error::Result;

/// What the attentions of a kind of layers have in common.
pub(super) struct Context {
    pub(super) mask: Mask,
    pub(super) rotary: Option<Rotary>,
}

impl Context {
    /// Of attentions that see all tokens, whose positions are in their embeddings.
    pub(super) fn absolute(builder: &mut Builder) -> Self {
        Self {
            mask: Mask::padding(builder),
            rotary: None,
        }
    }
}

/// Attention of a layer, with the linear layers around it.
pub(super) struct SelfAttention {
    pub(super) projection: Projection,
    /// The layer after it.
    pub(super) output: &'static str,
    /// Normalization of each head of queries and keys, by the root of the mean
    /// square.
    pub(super) head_norms: Option<HeadNorms>,
    pub(super) width: usize,
    pub(super) heads: Heads,
    /// Of the layers of queries, keys and values.
    pub(super) bias: Bias,
    pub(super) output_bias: Bias,
}

/// The layers of queries, keys and values.
#[derive(Clone, Copy)]
pub(super) enum Projection {
    Apart([&'static str; 3]),
    /// One layer that computes all three, side by side.
    Together(&'static str),
}

impl Projection {
    /// The names that decoders have.
    pub(super) const OF_DECODERS: Self =
        Self::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
}

/// Normalizations of heads of queries and keys.
#[derive(Clone, Copy)]
pub(super) struct HeadNorms {
    pub(super) names: [&'static str; 2],
    pub(super) epsilon: f32,
    pub(super) scale: Scale,
}

impl SelfAttention {
    /// The result for `x`, the rows that a layer of that name reads.
    pub(super) fn apply(
        &self,
        draft: &mut Draft<'_>,
        x: &str,
        layer: &str,
        context: &Context,
    ) -> Result<String> {
        let mut operands = self.project(draft, x, layer)?;
        if let Some(HeadNorms {
            names,
            epsilon,
            scale,
        }) = self.head_norms
        {
            let norm = RmsNorm {
                width: self.heads.columns,
                epsilon,
                scale,
            };
            for (operand, name) in operands.iter_mut().zip(names) {
                *operand = draft.rms_norm(operand, &format!("{layer}.{name}"), norm)?;
            }
        }
        let attention = Attention {
            heads: self.heads,
            mask: &context.mask,
            rotary: context.rotary.as_ref(),
        };
        let rows = attention.apply(&mut draft.builder, &operands);
        let sizes = Sizes::new(self.heads.width(), self.width);
        let name = format!("{layer}.{}", self.output);
        draft.linear(&rows, &name, sizes, self.output_bias)
    }

    /// Queries, keys and values, `[batch, length, heads, columns]`.
    fn project(&self, draft: &mut Draft<'_>, x: &str, layer: &str) -> Result<[String; 3]> {
        let heads = self.heads;
        match self.projection {
            Projection::Apart(names) => {
                let mut operands = names.map(|name| format!("{layer}.{name}"));
                let counts = [heads.count, heads.of_keys, heads.of_keys];
                for (operand, count) in operands.iter_mut().zip(counts) {
                    let sizes = Sizes::new(self.width, count * heads.columns);
                    let rows = draft.linear(x, operand, sizes, self.bias)?;
                    *operand = heads.split(&mut draft.builder, &rows, count);
                }
                Ok(operands)
            }
            Projection::Together(name) => {
                let sizes = Sizes::new(self.width, 3 * heads.width());
                let rows = draft.linear(x, &format!("{layer}.{name}"), sizes, self.bias)?;
                Ok(heads.split_packed(&mut draft.builder, &rows))
            }
        }
    }
}

/// The layers after attention.
pub(super) struct FeedForward {
    pub(super) inner: Inner,
    pub(super) outer: &'static str,
    pub(super) width: usize,
    pub(super) intermediate: usize,
    pub(super) activation: Activation,
    pub(super) inner_bias: Bias,
    pub(super) outer_bias: Bias,
}

/// The layer, or pair of layers, whose result is activated.
#[derive(Clone, Copy)]
pub(super) enum Inner {
    Plain(&'static str),
    /// One layer with twice the columns, of which the first half is activated
    /// and multiplied by the second.
    ActivatedThenFactor(&'static str),
    /// The same, but the second half is activated.
    FactorThenActivated(&'static str),
    /// Two layers.
    Pair {
        activated: &'static str,
        factor: &'static str,
    },
}

impl Inner {
    /// The names that decoders have.
    pub(super) const OF_DECODERS: Self = Self::Pair {
        activated: "mlp.gate_proj",
        factor: "mlp.up_proj",
    };
}

impl FeedForward {
    /// The result for `x`, the rows that a layer of that name reads.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, x: &str, layer: &str) -> Result<String> {
        let inner = self.inner(draft, x, layer)?;
        let sizes = Sizes::new(self.intermediate, self.width);
        let name = format!("{layer}.{}", self.outer);
        draft.linear(&inner, &name, sizes, self.outer_bias)
    }

    fn inner(&self, draft: &mut Draft<'_>, x: &str, layer: &str) -> Result<String> {
        let once = Sizes::new(self.width, self.intermediate);
        let twice = Sizes::new(self.width, 2 * self.intermediate);
        let mut linear = |name: &str, sizes| {
            let name = format!("{layer}.{name}");
            draft.linear(x, &name, sizes, self.inner_bias)
        };
        let (rows, factor) = match self.inner {
            Inner::Plain(name) => (linear(name, once)?, None),
            Inner::Pair { activated, factor } => {
                (linear(activated, once)?, Some(linear(factor, once)?))
            }
            Inner::ActivatedThenFactor(name) => {
                let rows = linear(name, twice)?;
                let [first, second] = self.halves(draft, &rows);
                (first, Some(second))
            }
            Inner::FactorThenActivated(name) => {
                let rows = linear(name, twice)?;
                let [first, second] = self.halves(draft, &rows);
                (second, Some(first))
            }
        };
        let activated = self.activation.apply(&mut draft.builder, &rows);
        Ok(match factor {
            Some(factor) => draft.builder.add("Mul", &[&activated, &factor]),
            None => activated,
        })
    }

    fn halves(&self, draft: &mut Draft<'_>, rows: &str) -> [String; 2] {
        draft.builder.split(rows, -1, [self.intermediate as i64; 2])
    }
}
