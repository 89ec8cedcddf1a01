//! What configurations say of rotary position embedding.

use super::config::Config;
use super::layers::Context;
use crate::blocks::{Heads, Mask, Positions, Rotary};
use crate::builder::Builder;
use crate::error::Result;

/// What attentions share that see all tokens, rotated by their positions.
pub(super) fn context(builder: &mut Builder, frequencies: Vec<f32>) -> Context {
    let positions = Positions::of_inputs(builder);
    Context {
        mask: Mask::padding(builder),
        rotary: Some(Rotary::new(builder, &positions, frequencies)),
    }
}

/// Angles from one position to the next, for each pair of columns.
pub(super) fn frequencies(config: &Config<'_>, base: f64, heads: Heads) -> Result<Vec<f32>> {
    if base <= 0. {
        return Err(config.refuse("rope_theta", "a number above 0", base));
    }
    if !heads.columns.is_multiple_of(2) {
        return Err(config.refuse("head_dim", "an even number", heads.columns));
    }
    Ok(Rotary::frequencies(base, heads.columns))
}

/// The base of the angles. `key` is that of older configurations; newer ones
/// have a section `rope_parameters`.
pub(super) fn base(config: &Config<'_>, key: &str, default: f64) -> Result<f64> {
    scaling(config)?;
    match config.section("rope_parameters")? {
        Some(parameters) => base_of(&parameters, default),
        None => config.number(key, default),
    }
}

/// The base that a section states, without any scaling.
pub(super) fn base_of(parameters: &Config<'_>, default: f64) -> Result<f64> {
    plain(parameters)?;
    parameters.number("rope_theta", default)
}

/// Refuses scaling.
pub(super) fn scaling(config: &Config<'_>) -> Result<()> {
    match config.section("rope_scaling")? {
        Some(scaling) => plain(&scaling),
        None => Ok(()),
    }
}

fn plain(section: &Config<'_>) -> Result<()> {
    section.only("rope_type", "default")?;
    section.only("type", "default")?;
    whole(section, "partial_rotary_factor")
}

/// Refuses that only a fraction of the columns is rotated.
pub(super) fn whole(config: &Config<'_>, key: &str) -> Result<()> {
    let fraction = config.number(key, 1.)?;
    if fraction == 1. {
        return Ok(());
    }
    Err(config.refuse(key, "1", fraction))
}
