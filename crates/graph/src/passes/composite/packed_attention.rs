//! ONNX Runtime's `Attention` and `QAttention`, whose weights have the columns
//! of queries, keys and values side by side.
//!
//! Source: ONNX Runtime, docs/ContribOperators.md.

use super::call::Call;
use super::dot_product::{DotProduct, HiddenRows, Mask};
use super::quantized::{Scaled, product};
use super::{BATCH, LENGTH, key_mask};

/// `Attention(x, weights, bias?, mask?, past?, attention_bias?)`
pub(super) fn attention(call: &mut Call<'_>) -> Option<Vec<String>> {
    let (x, weights) = (call.input(0)?, call.input(1)?);
    let is_plain = call.input(4).is_none() && call.ends_before(6);
    let sizes = Sizes::of(call)?;
    let is_bias_known = call.input(5).is_none_or(|bias| {
        let shape = call.trace.shape(bias);
        matches!(shape, Some(&[BATCH | 1, heads, LENGTH, LENGTH]) if heads == 1 || heads == sizes.heads)
    });
    if !is_plain || !is_bias_known || !call.is_float(0) || !key_mask::is_known(call, 3) {
        return None;
    }
    let mut rows = call.builder.add("MatMul", &[x, weights]);
    if let Some(bias) = call.input(2) {
        rows = call.builder.add("Add", &[&rows, bias]);
    }
    attend(call, &rows, &sizes, 3)
}

/// `QAttention(x, weights, bias, x_scale, weight_scale, mask?, x_zero?,
/// weight_zero?, past?)`
pub(super) fn quantized(call: &mut Call<'_>) -> Option<Vec<String>> {
    let sizes = Sizes::of(call)?;
    if !call.ends_before(8) || !key_mask::is_known(call, 5) {
        return None;
    }
    let scaled = Scaled {
        x: call.input(0)?.to_owned(),
        x_scale: call.input(3)?.to_owned(),
        x_zero: call.input(6).map(str::to_owned),
        weights: call.input(1)?,
        weight_scale: call.input(4)?,
        weight_zero: call.input(7),
        bias: call.input(2),
    };
    let rows = product(call, &scaled);
    attend(call, &rows, &sizes, 5)
}

/// The widths of queries, keys and values.
struct Sizes {
    heads: usize,
    widths: [usize; 3],
}

impl Sizes {
    fn of(call: &Call<'_>) -> Option<Self> {
        let heads = call.count("num_heads")?;
        let &[_, all] = call.shape(1)? else {
            return None;
        };
        let widths = match call.node.ints("qkv_hidden_sizes") {
            None | Some([]) => [all / 3; 3],
            Some(sizes) => {
                let sizes: Vec<usize> = sizes
                    .iter()
                    .map(|&size| usize::try_from(size).ok())
                    .collect::<Option<_>>()?;
                sizes.try_into().ok()?
            }
        };
        let rank = call.shape(0)?.len();
        let is_whole = widths.iter().all(|width| *width > 0 && width % heads == 0)
            && widths.iter().sum::<usize>() == all
            && widths[0] == widths[1];
        (rank == 3 && is_whole && call.node.int("do_rotary", 0) == 0)
            .then_some(Self { heads, widths })
    }
}

/// Attention of the rows `[batch, length, all widths]`; the input `mask` hides
/// keys.
fn attend(call: &mut Call<'_>, rows: &str, sizes: &Sizes, mask: usize) -> Option<Vec<String>> {
    let &Sizes { heads, widths } = sizes;
    let parts = call
        .builder
        .split(rows, -1, widths.map(|width| width as i64));
    let mut split = |at: usize| call.split_heads(&parts[at], heads, widths[at] / heads);
    let [queries, keys, values] = [split(0), split(1), split(2)];
    let mut masks = key_mask::masks(call, mask, &queries)?;
    if mask == 3 {
        masks.extend(call.input(5).map(|bias| Mask::Added(bias.to_owned())));
    }
    let product = DotProduct {
        queries,
        keys,
        values,
        scale: call.scale(widths[0] / heads),
        cap: 0.,
        masks,
        hidden_rows: HiddenRows::Never,
    };
    let context = product.apply(call);
    Some(vec![call.join_heads(&context, widths[2])])
}
