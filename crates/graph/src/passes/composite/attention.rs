//! The standard `Attention`.
//!
//! Source: ONNX, operator sets 23 and 24.

use super::call::Call;
use super::dot_product::{DotProduct, HiddenRows, Mask, causal};
use crate::onnx::{BOOL, FLOAT};
use crate::trace::broadcast_shape;

/// Attention without past keys and values.
pub(super) fn attention(call: &mut Call<'_>) -> Option<Vec<String>> {
    let node = call.node;
    let sizes = Sizes::of(call)?;
    let is_causal = node.int("is_causal", 0) != 0;
    let is_square = sizes.length == sizes.key_length;
    if !call.is_float(0) || !call.ends_before(4) || (is_causal && !is_square) {
        return None;
    }
    let mut masks: Vec<Mask> = match call.input(3) {
        Some(mask) => vec![checked_mask(call, mask, &sizes)?],
        None => Vec::new(),
    };
    let scale = match node.attribute("scale") {
        Some(scale) => scale.f?,
        None => call.scale(sizes.columns),
    };
    let queries = sizes.heads(call, 0, [sizes.count, sizes.columns])?;
    let keys = sizes.heads(call, 1, [sizes.key_count, sizes.columns])?;
    let values = sizes.heads(call, 2, [sizes.key_count, sizes.value_columns])?;
    if is_causal {
        masks.push(Mask::Seen(causal(call, &queries)));
    }
    let product = DotProduct {
        keys: call.repeat_heads(keys, [sizes.key_count, sizes.count, sizes.columns]),
        values: call.repeat_heads(values, [sizes.key_count, sizes.count, sizes.value_columns]),
        queries,
        scale,
        cap: node.float("softcap", 0.),
        masks,
        hidden_rows: HiddenRows::Zeros,
    };
    let context = product.apply(call);
    Some(vec![if sizes.is_rows {
        call.join_heads(&context, sizes.count * sizes.value_columns)
    } else {
        context
    }])
}

/// The sizes of queries, keys and values.
struct Sizes {
    /// Whether heads are side by side, `[batch, length, heads * columns]`.
    is_rows: bool,
    batch: usize,
    count: usize,
    /// Heads of keys and values.
    key_count: usize,
    length: usize,
    key_length: usize,
    columns: usize,
    value_columns: usize,
}

impl Sizes {
    fn of(call: &Call<'_>) -> Option<Self> {
        let sizes = match (call.shape(0)?, call.shape(1)?, call.shape(2)?) {
            (&[batch, length, width], &[_, key_length, key_width], &[_, _, value_width]) => {
                let count = call.count("q_num_heads")?;
                let key_count = call.count("kv_num_heads")?;
                let is_whole = width % count == 0
                    && key_width % key_count == 0
                    && value_width % key_count == 0
                    && width / count == key_width / key_count;
                is_whole.then_some(Self {
                    is_rows: true,
                    batch,
                    count,
                    key_count,
                    length,
                    key_length,
                    columns: width / count,
                    value_columns: value_width / key_count,
                })?
            }
            (
                &[batch, count, length, columns],
                &[_, key_count, key_length, key_columns],
                &[_, value_count, _, value_columns],
            ) if key_count == value_count && columns == key_columns => Self {
                is_rows: false,
                batch,
                count,
                key_count,
                length,
                key_length,
                columns,
                value_columns,
            },
            _ => return None,
        };
        let is_grouped = sizes.key_count > 0 && sizes.count % sizes.key_count == 0;
        (is_grouped && sizes.columns > 0).then_some(sizes)
    }

    /// An input as `[batch, heads, length, columns]`.
    fn heads(
        &self,
        call: &mut Call<'_>,
        at: usize,
        [count, columns]: [usize; 2],
    ) -> Option<String> {
        let input = call.input(at)?;
        Some(if self.is_rows {
            call.split_heads(input, count, columns)
        } else {
            input.to_owned()
        })
    }
}

/// The mask if it broadcasts to `[batch, heads, length, keys]` and names all
/// keys. Shorter ones hide the rest.
fn checked_mask(call: &Call<'_>, mask: &str, sizes: &Sizes) -> Option<Mask> {
    let shape = call.trace.shape(mask)?;
    let scores = [sizes.batch, sizes.count, sizes.length, sizes.key_length];
    let fits = shape.last() == Some(&sizes.key_length)
        && broadcast_shape(shape, &scores).is_some_and(|found| found == scores);
    match call.dtype(3) {
        Some(BOOL) if fits => Some(Mask::Seen(mask.to_owned())),
        Some(FLOAT) if fits => Some(Mask::Added(mask.to_owned())),
        _ => None,
    }
}
