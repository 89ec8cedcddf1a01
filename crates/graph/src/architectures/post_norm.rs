//! Layers that normalize after attention and after the layers that follow it,
//! as BERT's do.

use super::draft::Draft;
use super::layers::{Context, FeedForward, Inner, Projection, SelfAttention};
use super::parameters::{Bias, HeadKeys, Key, Norm};
use crate::blocks::Activation;
use crate::error::Result;

/// The layers of an encoder.
pub(super) struct PostNorm {
    pub(super) attention: SelfAttention,
    pub(super) feed_forward: FeedForward,
    pub(super) norm: Norm,
    names: &'static Names,
    count: usize,
}

/// The names of weights.
pub(super) struct Names {
    /// All layers, without their numbers.
    pub(super) layers: &'static str,
    pub(super) projection: Projection,
    pub(super) output: &'static str,
    pub(super) output_norm: &'static str,
    pub(super) inner: Inner,
    pub(super) outer: &'static str,
    pub(super) outer_norm: &'static str,
}

/// The keys of a configuration.
pub(super) struct Keys {
    pub(super) width: Key,
    pub(super) heads: Key,
    pub(super) layers: Key,
    pub(super) intermediate: Key,
    pub(super) activation: Option<&'static str>,
    /// That of the epsilon of normalizations, and its value where it is absent.
    pub(super) epsilon: (&'static str, f64),
}

/// The keys that most families have, with BERT's sizes.
pub(super) const KEYS: Keys = Keys {
    width: Key("hidden_size", 768),
    heads: Key("num_attention_heads", 12),
    layers: Key("num_hidden_layers", 12),
    intermediate: Key("intermediate_size", 3072),
    activation: Some("hidden_act"),
    epsilon: ("layer_norm_eps", 1e-12),
};

impl PostNorm {
    /// As a configuration says; all layers have biases.
    pub(super) fn read(draft: &Draft<'_>, keys: &Keys, names: &'static Names) -> Result<Self> {
        let config = draft.config;
        let size = |Key(key, default)| config.size(key, default);
        let width = size(keys.width)?;
        let (epsilon_key, epsilon) = keys.epsilon;
        let Key(layers_key, layers) = keys.layers;
        Ok(Self {
            attention: SelfAttention {
                projection: names.projection,
                output: names.output,
                head_norms: None,
                width,
                heads: draft.heads(width, HeadKeys::plain(keys.heads))?,
                bias: Bias::Present,
                output_bias: Bias::Present,
            },
            feed_forward: FeedForward {
                inner: names.inner,
                outer: names.outer,
                width,
                intermediate: size(keys.intermediate)?,
                activation: match keys.activation {
                    Some(key) => config.activation(key, Activation::Gelu)?,
                    None => Activation::Gelu,
                },
                inner_bias: Bias::Present,
                outer_bias: Bias::Present,
            },
            norm: Norm {
                width,
                epsilon: config.number(epsilon_key, epsilon)? as f32,
                bias: Bias::Present,
            },
            names,
            count: config.layers(layers_key, layers)?,
        })
    }

    pub(super) fn width(&self) -> usize {
        self.norm.width
    }

    /// The result of all layers.
    pub(super) fn apply(
        &self,
        draft: &mut Draft<'_>,
        mut states: String,
        context: &Context,
    ) -> Result<String> {
        for layer in 0..self.count {
            let layer = format!("{}.{layer}", self.names.layers);
            let attended = self.attention.apply(draft, &states, &layer, context)?;
            let norm = format!("{layer}.{}", self.names.output_norm);
            states = draft.sum_norm([&attended, &states], &norm, self.norm)?;
            let outer = self.feed_forward.apply(draft, &states, &layer)?;
            let norm = format!("{layer}.{}", self.names.outer_norm);
            states = draft.sum_norm([&outer, &states], &norm, self.norm)?;
        }
        Ok(states)
    }
}
