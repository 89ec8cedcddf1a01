//! ModernBERT: Ettin, mxbai-edge and others.

use super::config::Config;
use super::draft::{Draft, Inputs};
use super::encoder::Encoder;
use super::heads::{Classifier, Dense, Function, Heads, Masked, Place, Pooling, Transform};
use super::layers::{Context, FeedForward, Inner, Projection, SelfAttention};
use super::parameters::{Bias, HeadKeys, Key, Norm};
use super::rope;
use super::sight::{self, Contexts, Kind};
use crate::blocks::{Activation, Mask, Positions, Rotary};
use crate::error::Result;

/// The table of tokens.
const WORDS: &str = "embeddings.tok_embeddings.weight";

struct ModernBert {
    attention: SelfAttention,
    feed_forward: FeedForward,
    norm: Norm,
}

pub(super) fn encoder(draft: &mut Draft<'_>) -> Result<Encoder> {
    let config = draft.config;
    config.forbid(&["is_causal", "causal_mask", "is_decoder"])?;
    let model = ModernBert::read(draft)?;
    let width = model.norm.width;
    let kinds = layer_kinds(config)?;
    let words = draft.words(WORDS, width)?;
    let mut states = draft.layer_norm(&words, "embeddings.norm", model.norm)?;
    let positions = Positions::of_inputs(&mut draft.builder);
    let contexts = Contexts::of(&kinds, |kind| model.context(draft, kind, &positions))?;
    for (layer, kind) in kinds.into_iter().enumerate() {
        states = model.layer(draft, &states, layer, contexts.get(kind))?;
    }
    Ok(Encoder {
        output: draft.layer_norm(&states, "final_norm", model.norm)?,
        width,
        max_positions: Some(config.size("max_position_embeddings", 8192)?),
        inputs: Inputs::Ids,
        heads: model.heads(config)?,
    })
}

/// The kind of each layer: listed, or every few layers a full one.
fn layer_kinds(config: &Config<'_>) -> Result<Vec<Kind>> {
    let every = config.size("global_attn_every_n_layers", 3)?;
    sight::kinds(config, config.layers("num_hidden_layers", 22)?, |layer| {
        if layer % every == 0 {
            Kind::Full
        } else {
            Kind::Sliding
        }
    })
}

/// The base of the rotary embedding of a kind of layers.
fn rope_base(config: &Config<'_>, kind: Kind) -> Result<f64> {
    rope::scaling(config)?;
    if let Some(parameters) = config.section("rope_parameters")?
        && let Some(parameters) = parameters.section(kind.name())?
    {
        let default = match kind {
            Kind::Full => 160_000.,
            Kind::Sliding => 10_000.,
        };
        return rope::base_of(&parameters, default);
    }
    // Without a base of its own, a local layer has that of the global ones.
    let global = config.number("global_rope_theta", 160_000.)?;
    let key = "local_rope_theta";
    match kind {
        Kind::Full => Ok(global),
        Kind::Sliding if config.has(key) => config.number(key, global),
        Kind::Sliding => Ok(10_000.),
    }
}

impl ModernBert {
    fn read(draft: &Draft<'_>) -> Result<Self> {
        let config = draft.config;
        let width = config.size("hidden_size", 768)?;
        let heads = HeadKeys::plain(Key("num_attention_heads", 12));
        let flagged = |key| config.is_set(key).map(Bias::flagged);
        let (bias, mlp_bias) = (flagged("attention_bias")?, flagged("mlp_bias")?);
        Ok(Self {
            attention: SelfAttention {
                projection: Projection::Together("attn.Wqkv"),
                output: "attn.Wo",
                head_norms: None,
                width,
                heads: draft.heads(width, heads)?,
                bias,
                output_bias: bias,
            },
            feed_forward: FeedForward {
                inner: Inner::ActivatedThenFactor("mlp.Wi"),
                outer: "mlp.Wo",
                width,
                intermediate: config.size("intermediate_size", 1152)?,
                activation: config.activation("hidden_activation", Activation::Gelu)?,
                inner_bias: mlp_bias,
                outer_bias: mlp_bias,
            },
            norm: Norm {
                width,
                epsilon: config.number("norm_eps", 1e-5)? as f32,
                bias: flagged("norm_bias")?,
            },
        })
    }

    /// What layers of a kind have in common.
    fn context(&self, draft: &mut Draft<'_>, kind: Kind, positions: &Positions) -> Result<Context> {
        let base = rope_base(draft.config, kind)?;
        let window = draft.config.index("local_attention", 128)? / 2;
        let builder = &mut draft.builder;
        let frequencies = rope::frequencies(draft.config, base, self.attention.heads)?;
        Ok(Context {
            mask: match kind {
                Kind::Full => Mask::padding(builder),
                Kind::Sliding => Mask::windowed(builder, positions, window),
            },
            rotary: Some(Rotary::new(builder, positions, frequencies)),
        })
    }

    fn heads(&self, config: &Config<'_>) -> Result<Heads> {
        let function = Function::Stated("classifier_activation", Activation::Gelu);
        let bias = Bias::flagged(config.is_set("classifier_bias")?);
        let pooling = match config.text("classifier_pooling")?.unwrap_or("cls") {
            "cls" => Pooling::First,
            "mean" => Pooling::Mean,
            other => {
                let found = format!("`{other}`");
                return Err(config.refuse("classifier_pooling", "cls or mean", found));
            }
        };
        Ok(Heads {
            masked: Some(Masked {
                transform: Some(Transform {
                    dense: "head.dense",
                    bias,
                    function,
                    norm_name: "head.norm",
                    norm: self.norm,
                }),
                decoder: "decoder",
                biases: match config.flag("decoder_bias")? {
                    Some(false) => &[],
                    _ => &["decoder.bias"],
                },
            }),
            classifier: Some(Classifier {
                pooling,
                dense: Some(Dense {
                    name: "head.dense",
                    place: Place::Root,
                    bias,
                    function,
                    norm: Some(("head.norm", self.norm)),
                }),
                output: "classifier",
                bias: Bias::Present,
            }),
            causal: None,
        })
    }

    fn layer(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        layer: usize,
        context: &Context,
    ) -> Result<String> {
        let name = format!("layers.{layer}");
        // The first layer reads what the embeddings normalized.
        let normal = match layer {
            0 => states.to_owned(),
            _ => draft.layer_norm(states, &format!("{name}.attn_norm"), self.norm)?,
        };
        let attended = self.attention.apply(draft, &normal, &name, context)?;
        let states = draft.sum(&attended, states);
        let normal = draft.layer_norm(&states, &format!("{name}.mlp_norm"), self.norm)?;
        let outer = self.feed_forward.apply(draft, &normal, &name)?;
        Ok(draft.sum(&outer, &states))
    }
}
