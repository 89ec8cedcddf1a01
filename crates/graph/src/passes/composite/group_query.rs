//! ONNX Runtime's `GroupQueryAttention`.
//!
//! Source: ONNX Runtime, docs/ContribOperators.md.

use ndarray::Array2;

use super::call::Call;
use super::dot_product::{DotProduct, HiddenRows, Mask, causal, windowed};
use super::rotary::Rotation;
use super::{BATCH, LENGTH};
use crate::onnx::{BOOL, FLOAT};
use crate::trace::Tensor;

/// `GroupQueryAttention(queries, keys?, values?, past_keys?, past_values?,
/// last_positions, length, cos?, sin?, positions?, attention_bias?)` of one text
/// with itself, without past keys and values. Tokens do not see later ones.
///
/// Queries may hold keys and values as well, side by side.
pub(super) fn attention(call: &mut Call<'_>) -> Option<Vec<String>> {
    let form = Form::of(call)?;
    let sizes = &form.sizes;
    let [queries, keys, values] = sizes.rows(call)?;
    let mut queries = call.split_heads(&queries, sizes.count, sizes.columns);
    let mut keys = call.split_heads(&keys, sizes.key_count, sizes.columns);
    let values = call.split_heads(&values, sizes.key_count, sizes.columns);
    if let Some((rotation, tables)) = &form.rotary {
        let length = call.size(&queries, 2);
        let positions = call.range(&length);
        let positions = call.unsqueeze(&positions, &[0]);
        let tables = rotation.tables(call, *tables, Some(&positions));
        queries = rotation.apply(call, &queries, &tables);
        keys = rotation.apply(call, &keys, &tables);
    }
    let mut masks = vec![Mask::Seen(form.seen(call, &queries))];
    masks.extend(call.input(10).map(|bias| Mask::Added(bias.to_owned())));
    let repeated = [sizes.key_count, sizes.count, sizes.columns];
    let product = DotProduct {
        queries,
        keys: call.repeat_heads(keys, repeated),
        values: call.repeat_heads(values, repeated),
        scale: call.scale(sizes.columns),
        cap: form.cap,
        masks,
        hidden_rows: HiddenRows::Zeros,
    };
    let context = product.apply(call);
    Some(vec![call.join_heads(&context, sizes.count * sizes.columns)])
}

/// The attributes that are known.
const ATTRIBUTES: [&str; 10] = [
    "do_rotary",
    "k_quant_type",
    "kv_num_heads",
    "local_window_size",
    "num_heads",
    "rotary_interleaved",
    "scale",
    "smooth_softmax",
    "softcap",
    "v_quant_type",
];

/// A form of the operator that is known.
struct Form<'a> {
    sizes: Sizes,
    cap: f32,
    /// Positions that a token sees, its own among them; `None` for all.
    window: Option<i64>,
    /// The cosines and sines of each pair of columns.
    rotary: Option<(Rotation, [&'a str; 2])>,
}

impl<'a> Form<'a> {
    fn of(call: &Call<'a>) -> Option<Self> {
        let node = call.node;
        let sizes = Sizes::of(call)?;
        let window = match node.int("local_window_size", -1) {
            -1 => None,
            window @ 1.. => Some(window),
            _ => return None,
        };
        let mut attributes =
            (node.attribute.iter()).filter_map(|attribute| attribute.name.as_deref());
        let is_plain = attributes.all(|name| ATTRIBUTES.contains(&name))
            && node.int("smooth_softmax", 0) <= 0
            && ["k_quant_type", "v_quant_type"]
                .iter()
                .all(|name| matches!(node.string(name), "" | "NONE"))
            && call.input(3).is_none()
            && call.input(4).is_none()
            && call.ends_before(11);
        let cap = node.float("softcap", 0.);
        let is_known = is_plain
            && cap >= 0.
            && call.is_float(0)
            && is_bias_known(call, sizes.count)
            && is_counted(call)?
            && are_counted(call)?;
        is_known.then_some(Self {
            rotary: match node.int("do_rotary", 0) {
                0 => None,
                _ => Some(rotary(call, sizes.columns)?),
            },
            sizes,
            cap,
            window,
        })
    }

    /// Booleans, `[batch, 1, length, length]`: a token sees those of its text up
    /// to itself, and within the window.
    fn seen(&self, call: &mut Call<'_>, queries: &str) -> String {
        let tokens = call.cast(MASK, BOOL);
        let tokens = call.unsqueeze(&tokens, &[1, 2]);
        let earlier = causal(call, queries);
        let mut seen = call.builder.add("And", &[&tokens, &earlier]);
        if let Some(window) = self.window {
            let near = windowed(call, queries, window);
            seen = call.builder.add("And", &[&seen, &near]);
        }
        seen
    }
}

struct Sizes {
    count: usize,
    /// Heads of keys and values.
    key_count: usize,
    columns: usize,
}

impl Sizes {
    fn of(call: &Call<'_>) -> Option<Self> {
        let count = call.count("num_heads")?;
        let key_count = call.count("kv_num_heads")?;
        let &[_, LENGTH, width] = call.shape(0)? else {
            return None;
        };
        let all = key_count.checked_mul(2)?.checked_add(count)?;
        let columns = match (call.input(1), call.input(2)) {
            (None, None) => (width % all == 0).then_some(width / all)?,
            (Some(_), Some(_)) => {
                let (keys, values) = (call.shape(1)?, call.shape(2)?);
                let columns = (width % count == 0).then_some(width / count)?;
                let is_row = matches!(*keys, [_, LENGTH, width] if width == key_count * columns);
                (is_row && keys == values).then_some(columns)?
            }
            _ => return None,
        };
        (count % key_count == 0 && columns > 0).then_some(Self {
            count,
            key_count,
            columns,
        })
    }

    /// Rows of queries, keys and values, `[batch, length, heads * columns]`.
    fn rows(&self, call: &mut Call<'_>) -> Option<[String; 3]> {
        let queries = call.input(0)?;
        if let (Some(keys), Some(values)) = (call.input(1), call.input(2)) {
            return Some([queries, keys, values].map(str::to_owned));
        }
        let widths = [self.count, self.key_count, self.key_count];
        let widths = widths.map(|count| (count * self.columns) as i64);
        Some(call.builder.split(queries, -1, widths))
    }
}

const MASK: &str = "attention_mask";
const IDS: &str = "input_ids";

/// Tokens of the texts that counts are computed for, of which the first is as
/// long as the batch.
const COUNTS: [usize; 3] = [7, 4, 1];

/// A value as of texts padded behind their tokens.
fn of_texts(call: &Call<'_>, at: usize) -> Option<Vec<i64>> {
    let [length, ..] = COUNTS;
    let shape = (COUNTS.len(), length);
    let mask = Array2::from_shape_fn(shape, |(text, token)| i64::from(token < COUNTS[text]));
    let ids = Tensor::opaque(call.trace.get(IDS)?.dtype(), mask.shape());
    let bases = [(MASK, Tensor::Int(mask.into_dyn())), (IDS, ids)];
    call.trace.replay_all(call.input(at)?, bases)?.ints()
}

/// Whether the operator is told the last position of each text's tokens and the
/// length of the batch.
fn is_counted(call: &Call<'_>) -> Option<bool> {
    let last = COUNTS.map(|count| count as i64 - 1);
    let [length, ..] = COUNTS;
    Some(of_texts(call, 5)? == last && of_texts(call, 6)? == [length as i64])
}

/// Whether positions, if there are any, are 0, 1 and so on in each text.
fn are_counted(call: &Call<'_>) -> Option<bool> {
    if call.input(9).is_none() {
        return Some(true);
    }
    let [length, ..] = COUNTS;
    let rows = COUNTS.map(|_| 0..length as i64);
    Some(
        of_texts(call, 9)?
            .into_iter()
            .eq(rows.into_iter().flatten()),
    )
}

fn is_bias_known(call: &Call<'_>, count: usize) -> bool {
    let is_float = || call.dtype(10) == Some(FLOAT);
    call.input(10).is_none()
        || is_float()
            && matches!(
                call.shape(10),
                Some(&[BATCH | 1, heads, LENGTH, LENGTH]) if heads == 1 || heads == count
            )
}

fn rotary<'a>(call: &Call<'a>, columns: usize) -> Option<(Rotation, [&'a str; 2])> {
    let tables = [call.input(7)?, call.input(8)?];
    let [&[_, half], &[_, other]] = [call.shape(7)?, call.shape(8)?] else {
        return None;
    };
    let rotation = Rotation {
        columns,
        rotated: half.checked_mul(2)?,
        is_interleaved: call.node.int("rotary_interleaved", 0) != 0,
    };
    (half == other && half > 0 && rotation.rotated <= columns).then_some((rotation, tables))
}
