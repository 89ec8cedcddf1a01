//! Masks, computed once for all attentions that share them.

use std::collections::HashMap;

use super::super::onnx::{BOOL, FLOAT, INT32};
use super::parts::Parts;

/// Far below every score, and finite, so that no row becomes NaN.
const UNSEEN: f32 = -1e30;

/// The names of mask values that were made.
#[derive(Default)]
pub(super) struct Masks {
    padding: Option<String>,
    windows: HashMap<(i64, u32), Window>,
}

/// A sliding window over a padded batch.
#[derive(Clone)]
pub(super) struct Window {
    /// `[batch, 1, length, length]`, added to the scores.
    pub(super) bias: String,
    /// `[batch, length, 1]`, whether a token sees any, where it matters.
    pub(super) sees_any: Option<String>,
}

impl Masks {
    /// `[batch, length]` of 32-bit integers, 0 for padding.
    pub(super) fn padding(&mut self, parts: &mut Parts, mask: &str) -> String {
        self.padding
            .get_or_insert_with(|| {
                parts.add_with("Cast", &[mask], |node| node.with_int("to", INT32.into()))
            })
            .clone()
    }

    /// A window of `width` positions to either side. With a fill of minus
    /// infinity, tokens that see nothing are told apart.
    pub(super) fn window(
        &mut self,
        parts: &mut Parts,
        mask: &str,
        width: i64,
        fill: f32,
    ) -> Window {
        self.windows
            .entry((width, fill.to_bits()))
            .or_insert_with(|| window(parts, mask, width, fill))
            .clone()
    }
}

fn window(parts: &mut Parts, mask: &str, width: i64, fill: f32) -> Window {
    let as_is = |node| node;
    let shape = parts.add("Shape", &[mask]);
    let (zero, one, width) = (parts.int(0), parts.int(1), parts.int(width));
    let length = parts.add_with("Gather", &[&shape, &one], |node| node.with_int("axis", 0));
    let positions = parts.add("Range", &[&zero, &length, &one]);
    let rows = parts.add_over("Unsqueeze", &positions, &[1], 13, as_is);
    let distance = parts.add("Sub", &[&rows, &positions]);
    let distance = parts.add("Abs", &[&distance]);
    let is_near = parts.add("LessOrEqual", &[&distance, &width]);
    let is_text = parts.add_with("Cast", &[mask], |node| node.with_int("to", BOOL.into()));
    let is_text = parts.add_over("Unsqueeze", &is_text, &[1, 2], 13, as_is);
    let is_seen = parts.add("And", &[&is_text, &is_near]);
    let nothing = parts.float(0.);
    let unseen = parts.float(if fill.is_finite() { fill } else { UNSEEN });
    let bias = parts.add("Where", &[&is_seen, &nothing, &unseen]);
    let sees_any = fill.is_infinite().then(|| {
        let seen = parts.add_with("Cast", &[&is_seen], |node| {
            node.with_int("to", FLOAT.into())
        });
        let any = parts.add_over("ReduceMax", &seen, &[3], 18, |node| {
            node.with_int("keepdims", 1)
        });
        let any = parts.add_over("Squeeze", &any, &[1], 13, as_is);
        parts.add_with("Cast", &[&any], |node| node.with_int("to", BOOL.into()))
    });
    Window { bias, sees_any }
}
