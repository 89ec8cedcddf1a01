//! Heads behind decoders.

use crate::architectures::config::Config;
use crate::architectures::heads::{
    Causal, Classifier, Dense, Function, Heads, Masked, Place, Pooling,
};
use crate::architectures::parameters::Bias;
use crate::blocks::Activation;
use crate::error::Result;

/// Labels and tokens from the last row.
pub(super) fn causal_heads(_: &Config<'_>) -> Result<Heads> {
    Ok(Heads {
        masked: None,
        classifier: Some(Classifier {
            pooling: Pooling::Last,
            dense: None,
            output: "score",
            bias: Bias::Absent,
        }),
        causal: Some(Causal { decoder: "lm_head" }),
    })
}

pub(super) fn eurobert_heads(config: &Config<'_>) -> Result<Heads> {
    // The models' own code has the older name.
    let keys = ["classifier_pooling", "clf_pooling"];
    let key = keys.into_iter().find(|key| config.get(key).is_some());
    let key = key.unwrap_or(keys[0]);
    let pooling = match config.text(key)?.unwrap_or("late") {
        "bos" => Pooling::First,
        "mean" => Pooling::Mean,
        "late" => Pooling::MeanOfDense,
        other => {
            let found = format!("`{other}`");
            return Err(config.refuse(key, "bos, mean or late", found));
        }
    };
    Ok(Heads {
        masked: Some(Masked {
            transform: None,
            decoder: "lm_head",
            biases: if config.is_set("mlp_bias")? {
                &["lm_head.bias"]
            } else {
                &[]
            },
        }),
        classifier: Some(Classifier {
            pooling,
            dense: Some(Dense {
                name: "dense",
                place: Place::Root,
                bias: Bias::Present,
                function: Function::Fixed(Activation::Gelu),
                norm: None,
            }),
            output: "classifier",
            bias: Bias::Present,
        }),
        causal: None,
    })
}
