//! Masks of attention, computed once for all attentions that share them.

use std::collections::HashMap;

use crate::builder::Builder;
use crate::onnx::{BOOL, FLOAT, INT32};

/// Lower than any score, but finite, so that no row becomes NaN.
const UNSEEN: f32 = -1e30;

/// Masks that were added to the graph, by what they mask.
#[derive(Default)]
pub(super) struct Masks {
    padding: Option<String>,
    /// By the width and the bits of the fill.
    windows: HashMap<(i64, u32), Window>,
}

/// A sliding window over a padded batch.
#[derive(Clone)]
pub(super) struct Window {
    /// `[batch, 1, length, length]`, added to the scores.
    pub(super) bias: String,
    /// `[batch, length, 1]`, whether a token sees any other one; only where
    /// tokens that see none get zeros.
    pub(super) sees_any: Option<String>,
}

impl Masks {
    /// `[batch, length]` of 32-bit integers, 0 for padding.
    pub(super) fn padding(&mut self, builder: &mut Builder, mask: &str) -> String {
        self.padding
            .get_or_insert_with(|| {
                builder.add_with("Cast", &[mask], |node| node.with_int("to", INT32.into()))
            })
            .clone()
    }

    /// A window of `width` positions to either side. If `fill` is minus
    /// infinity, tokens that see none get zeros.
    pub(super) fn window(
        &mut self,
        builder: &mut Builder,
        mask: &str,
        width: i64,
        fill: f32,
    ) -> Window {
        self.windows
            .entry((width, fill.to_bits()))
            .or_insert_with(|| window(builder, mask, width, fill))
            .clone()
    }
}

fn window(builder: &mut Builder, mask: &str, width: i64, fill: f32) -> Window {
    let as_is = |node| node;
    let shape = builder.add("Shape", &[mask]);
    let (zero, one, width) = (builder.int(0), builder.int(1), builder.int(width));
    let length = builder.add_with("Gather", &[&shape, &one], |node| node.with_int("axis", 0));
    let positions = builder.add("Range", &[&zero, &length, &one]);
    let rows = builder.add_over("Unsqueeze", &positions, &[1], 13, as_is);
    let distance = builder.add("Sub", &[&rows, &positions]);
    let distance = builder.add("Abs", &[&distance]);
    let is_near = builder.add("LessOrEqual", &[&distance, &width]);
    let is_text = builder.add_with("Cast", &[mask], |node| node.with_int("to", BOOL.into()));
    let is_text = builder.add_over("Unsqueeze", &is_text, &[1, 2], 13, as_is);
    let is_seen = builder.add("And", &[&is_text, &is_near]);
    let zero = builder.float(0.);
    let unseen = builder.float(if fill.is_finite() { fill } else { UNSEEN });
    let bias = builder.add("Where", &[&is_seen, &zero, &unseen]);
    let sees_any = fill.is_infinite().then(|| {
        let seen = builder.add_with("Cast", &[&is_seen], |node| {
            node.with_int("to", FLOAT.into())
        });
        let any = builder.add_over("ReduceMax", &seen, &[3], 18, |node| {
            node.with_int("keepdims", 1)
        });
        let any = builder.add_over("Squeeze", &any, &[1], 13, as_is);
        builder.add_with("Cast", &[&any], |node| node.with_int("to", BOOL.into()))
    });
    Window { bias, sees_any }
}
