//! Layers that see whole texts, and layers that see what is near.

use super::config::Config;
use super::layers::Context;
use crate::error::Result;

/// How far the tokens of a layer see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Full,
    Sliding,
}

impl Kind {
    /// The name in configurations.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Full => "full_attention",
            Self::Sliding => "sliding_attention",
        }
    }
}

/// The kind of each layer: listed, or as a family has it.
pub(super) fn kinds(
    config: &Config<'_>,
    count: usize,
    default: impl Fn(usize) -> Kind,
) -> Result<Vec<Kind>> {
    let key = "layer_types";
    let Some(listed) = config.texts(key)? else {
        return Ok((0..count).map(default).collect());
    };
    let known = [Kind::Full, Kind::Sliding];
    let named = |name: &&str| known.into_iter().find(|kind| kind.name() == *name);
    let kinds: Option<Vec<Kind>> = listed.iter().map(named).collect();
    match kinds.filter(|kinds| kinds.len() == count) {
        Some(kinds) => Ok(kinds),
        None => {
            let [full, sliding] = known.map(Kind::name);
            let expected = format!("{count} of {full} and {sliding}");
            let found = format!("{} layers: {}", listed.len(), listed.join(", "));
            Err(config.refuse(key, expected, found))
        }
    }
}

/// What layers of each kind have in common.
pub(super) struct Contexts {
    first: Context,
    /// Of the kind that the first layer is not.
    other: Option<Context>,
    kind: Kind,
}

impl Contexts {
    /// Those of the kinds that occur, in their order.
    pub(super) fn of(
        kinds: &[Kind],
        mut context: impl FnMut(Kind) -> Result<Context>,
    ) -> Result<Self> {
        let kind = kinds.first().copied().unwrap_or(Kind::Full);
        let other = kinds.iter().find(|&&other| other != kind);
        Ok(Self {
            first: context(kind)?,
            other: other.map(|&other| context(other)).transpose()?,
            kind,
        })
    }

    pub(super) fn get(&self, kind: Kind) -> &Context {
        match &self.other {
            Some(other) if kind != self.kind => other,
            _ => &self.first,
        }
    }
}
