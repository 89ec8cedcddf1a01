//! Which keys ONNX Runtime's attention operators see.
//!
//! Source: ONNX Runtime, `contrib_ops/cpu/bert/attention_helper.h`.

use super::call::Call;
use super::dot_product::{Mask, causal};
use super::{BATCH, LENGTH};
use crate::onnx::{BOOL, INT64};

/// The attribute `mask_filter_value` where a node does not have it.
const FILTER: f32 = -1e4;

/// The masks of a node: of the keys that an input hides, and of later ones if
/// the node is causal. `None` for forms that are not known.
pub(super) fn masks(call: &mut Call<'_>, at: usize, queries: &str) -> Option<Vec<Mask>> {
    let mut masks = Vec::new();
    if let Some(seen) = seen_keys(call, at, queries)? {
        let filter = call.node.float("mask_filter_value", FILTER);
        masks.push(added(call, &seen, filter));
    }
    if call.node.int("unidirectional", 0) != 0 {
        let seen = causal(call, queries);
        masks.push(added(call, &seen, f32::MIN));
    }
    Some(masks)
}

/// Whether [`masks`] knows the form of an input.
pub(super) fn is_known(call: &Call<'_>, at: usize) -> bool {
    call.input(at).is_none()
        || matches!(
            call.shape(at),
            Some(&[BATCH | FROM_TO] | &[BATCH, LENGTH] | &[BATCH, LENGTH, LENGTH])
        )
}

/// Elements of an input that has the end of each text, then the start of each.
const FROM_TO: usize = 2 * BATCH;

/// Booleans that broadcast to `[batch, heads, length, length]`; `Some(None)` if
/// nothing is hidden.
fn seen_keys(call: &mut Call<'_>, at: usize, queries: &str) -> Option<Option<String>> {
    let Some(name) = call.input(at) else {
        return Some(None);
    };
    let counted = counted_mask(call, name);
    Some(Some(match (counted, call.trace.shape(name)?) {
        (Some(mask), _) => {
            let seen = call.cast(&mask, BOOL);
            call.unsqueeze(&seen, &[1, 2])
        }
        (None, &[BATCH]) => {
            let end = call.cast(name, INT64);
            before(call, queries, &end)
        }
        (None, &[FROM_TO]) => {
            let ends = call.cast(name, INT64);
            let both = call.reshape(&ends, &[2, -1]);
            let [end, start] = [0, 1].map(|at| {
                let at = call.builder.int(at);
                call.builder
                    .add_with("Gather", &[&both, &at], |node| node.with_int("axis", 0))
            });
            let (ends, starts) = (before(call, queries, &end), before(call, queries, &start));
            let starts = call.builder.add("Not", &[&starts]);
            call.builder.add("And", &[&ends, &starts])
        }
        (None, &[BATCH, LENGTH]) => {
            let seen = call.cast(name, BOOL);
            call.unsqueeze(&seen, &[1, 2])
        }
        (None, &[BATCH, LENGTH, LENGTH]) => {
            let seen = call.cast(name, BOOL);
            call.unsqueeze(&seen, &[1])
        }
        _ => return None,
    }))
}

/// The attention mask, `[batch, length]`, if `value` is the number of its
/// tokens in each text.
fn counted_mask(call: &Call<'_>, value: &str) -> Option<String> {
    let index = call.trace.index();
    let counter = index.producer(value)?;
    let at = match counter.op_type.as_deref()? {
        "ReduceSum" => 0,
        "EmbedLayerNormalization" | "QEmbedLayerNormalization"
            if counter.output.get(1).map(String::as_str) == Some(value) =>
        {
            7
        }
        _ => return None,
    };
    let mask = counter.input.get(at)?;
    let is_mask = index.before(mask, &["Cast", "Identity"]) == "attention_mask";
    (is_mask && call.trace.shape(value)? == [BATCH]).then(|| mask.clone())
}

/// Which positions are before the one that each text names, `[batch, 1, 1,
/// length]`.
fn before(call: &mut Call<'_>, queries: &str, end: &str) -> String {
    let length = call.size(queries, 2);
    let positions = call.range(&length);
    let end = call.unsqueeze(end, &[1, 2, 3]);
    call.builder.add("Less", &[&positions, &end])
}

/// Zeros for what is seen, and `filter` for the rest.
fn added(call: &mut Call<'_>, seen: &str, filter: f32) -> Mask {
    let (zero, filter) = (call.builder.float(0.), call.builder.float(filter));
    Mask::Added(call.builder.add("Where", &[seen, &zero, &filter]))
}
