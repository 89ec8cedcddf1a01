//! Layers whose parts read normalized rows: T5 and decoders.

use super::draft::Draft;
use super::layers::{Context, FeedForward, SelfAttention};
use super::parameters::RmsNorm;
use crate::error::Result;

pub(super) struct PreNorm {
    pub(super) attention: SelfAttention,
    pub(super) feed_forward: FeedForward,
    pub(super) norm: RmsNorm,
    pub(super) around_attention: Around,
    pub(super) around_feed_forward: Around,
}

/// The names of the normalizations around a part.
pub(super) struct Around {
    pub(super) before: &'static str,
    /// Of its result, in families that have it.
    pub(super) after: Option<&'static str>,
}

impl Around {
    pub(super) fn before(before: &'static str) -> Self {
        Self {
            before,
            after: None,
        }
    }
}

impl PreNorm {
    /// The result of a layer of that name.
    pub(super) fn layer(
        &self,
        draft: &mut Draft<'_>,
        states: &str,
        layer: &str,
        context: &Context,
    ) -> Result<String> {
        let norm = |draft: &mut Draft<'_>, x: &str, name: &str| {
            draft.rms_norm(x, &format!("{layer}.{name}"), self.norm)
        };
        let add = |draft: &mut Draft<'_>, states: &str, result: String, around: &Around| {
            let result = match around.after {
                Some(name) => norm(draft, &result, name)?,
                None => result,
            };
            Ok(draft.sum(states, &result))
        };
        let normal = norm(draft, states, self.around_attention.before)?;
        let attended = self.attention.apply(draft, &normal, layer, context)?;
        let states = add(draft, states, attended, &self.around_attention)?;
        let normal = norm(draft, &states, self.around_feed_forward.before)?;
        let outer = self.feed_forward.apply(draft, &normal, layer)?;
        add(draft, &states, outer, &self.around_feed_forward)
    }
}
