//! Masks of attention, computed once for all attentions that share them.

use crate::builder::Builder;
use crate::onnx::{BOOL, FLOAT, INT32, NodeProto};

/// Lower than any score, but finite, so that no row becomes NaN.
const UNSEEN: f32 = -1e30;

/// Masks that were added to the graph, by what they mask.
#[derive(Default)]
pub(super) struct Masks {
    padding: Option<String>,
    added: Vec<(Sight, Added)>,
}

/// What the tokens of a padded batch see.
#[derive(Clone, PartialEq)]
pub(super) struct Sight {
    /// The attention mask, `[batch, length]`; empty where padding is seen.
    pub(super) mask: String,
    /// How many positions before and after its own a token sees; negative for
    /// all.
    pub(super) before: i64,
    pub(super) after: i64,
    /// The score of tokens that are not seen.
    pub(super) fill: f32,
}

impl Sight {
    /// Whether a token sees all positions of the text.
    pub(super) fn is_whole(&self) -> bool {
        self.before < 0 && self.after < 0
    }
}

/// A mask that is added to scores.
#[derive(Clone)]
pub(super) struct Added {
    /// Broadcasts to `[batch, 1, length, length]`.
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

    /// What is added to the scores of `rows`, `[batch, length, width]`. If the
    /// fill is minus infinity, tokens that see none get zeros.
    pub(super) fn added(&mut self, builder: &mut Builder, sight: &Sight, rows: &str) -> Added {
        if let Some((_, known)) = self.added.iter().find(|(known, _)| known == sight) {
            return known.clone();
        }
        let added = added(builder, sight, rows);
        self.added.push((sight.clone(), added.clone()));
        added
    }
}

/// The difference of the positions that see and those that are seen, `[length,
/// length]`.
pub(super) fn differences(builder: &mut Builder, rows: &str) -> String {
    let shape = builder.add("Shape", &[rows]);
    let (zero, one) = (builder.int(0), builder.int(1));
    let length = builder.add_with("Gather", &[&shape, &one], |node| node.with_int("axis", 0));
    let positions = builder.add("Range", &[&zero, &length, &one]);
    let seeing = builder.add_over("Unsqueeze", &positions, &[1], 13, |node| node);
    builder.add("Sub", &[&seeing, &positions])
}

fn added(builder: &mut Builder, sight: &Sight, rows: &str) -> Added {
    let as_is = |node| node;
    let mut parts = Vec::new();
    if !sight.mask.is_empty() {
        let to_bool = |node: NodeProto| node.with_int("to", BOOL.into());
        let is_text = builder.add_with("Cast", &[&sight.mask], to_bool);
        parts.push(builder.add_over("Unsqueeze", &is_text, &[1, 2], 13, as_is));
    }
    if !sight.is_whole() {
        let differences = differences(builder, rows);
        let bounds = [
            (sight.before, "LessOrEqual", 1),
            (sight.after, "GreaterOrEqual", -1),
        ];
        for (most, compare, sign) in bounds.into_iter().filter(|(most, ..)| *most >= 0) {
            let bound = builder.int(sign * most);
            let near = builder.add(compare, &[&differences, &bound]);
            parts.push(builder.add_over("Unsqueeze", &near, &[0, 1], 13, as_is));
        }
    }
    let mut parts = parts.into_iter();
    let mut is_seen = parts.next().unwrap_or_default();
    for part in parts {
        is_seen = builder.add("And", &[&is_seen, &part]);
    }
    let zero = builder.float(0.);
    let unseen = builder.float(if sight.fill.is_finite() {
        sight.fill
    } else {
        UNSEEN
    });
    let bias = builder.add("Where", &[&is_seen, &zero, &unseen]);
    // Without padding, a token sees itself.
    let may_see_none = sight.fill.is_infinite() && !sight.mask.is_empty();
    let sees_any = may_see_none.then(|| {
        let seen = builder.add_with("Cast", &[&is_seen], |node| {
            node.with_int("to", FLOAT.into())
        });
        let any = builder.add_over("ReduceMax", &seen, &[3], 18, |node| {
            node.with_int("keepdims", 1)
        });
        let any = builder.add_over("Squeeze", &any, &[1], 13, as_is);
        builder.add_with("Cast", &[&any], |node| node.with_int("to", BOOL.into()))
    });
    Added { bias, sees_any }
}
