//! ONNX Runtime's `MultiHeadAttention`.
//!
//! Source: ONNX Runtime, docs/ContribOperators.md.

use super::call::Call;
use super::dot_product::{DotProduct, HiddenRows, Mask};
use super::{BATCH, LENGTH, key_mask};

/// `MultiHeadAttention(queries, keys, values, bias?, key_padding_mask?,
/// attention_bias?)` of one text with itself, without past keys and values.
///
/// Queries may hold keys and values as well, `[batch, length, heads, 3,
/// columns]`, and keys the values, `[batch, length, heads, 2, columns]`.
pub(super) fn attention(call: &mut Call<'_>) -> Option<Vec<String>> {
    let count = call.count("num_heads")?;
    let sizes = Sizes::of(call, count)?;
    let is_bias_known = call.input(5).is_none_or(|bias| {
        let shape = call.trace.shape(bias);
        matches!(shape, Some(&[BATCH | 1, heads, LENGTH, LENGTH]) if heads == 1 || heads == count)
    });
    if !call.is_float(0) || !call.ends_before(6) || !is_bias_known || !key_mask::is_known(call, 4) {
        return None;
    }
    let mut rows = sizes.rows(call)?;
    if let Some(bias) = call.input(3) {
        let widths = [sizes.columns, sizes.columns, sizes.value_columns];
        let parts = split_bias(call, bias, widths.map(|columns| count * columns));
        for (rows, part) in rows.iter_mut().zip(&parts) {
            *rows = call.builder.add("Add", &[rows, part]);
        }
    }
    let [queries, keys, values] = rows;
    let queries = call.split_heads(&queries, count, sizes.columns);
    let keys = call.split_heads(&keys, count, sizes.columns);
    let values = call.split_heads(&values, count, sizes.value_columns);
    let mut masks = key_mask::masks(call, 4, &queries)?;
    masks.extend(call.input(5).map(|bias| Mask::Added(bias.to_owned())));
    let product = DotProduct {
        queries,
        keys,
        values,
        scale: call.scale(sizes.columns),
        cap: 0.,
        masks,
        hidden_rows: HiddenRows::Never,
    };
    let context = product.apply(call);
    Some(vec![call.join_heads(&context, count * sizes.value_columns)])
}

struct Sizes {
    count: usize,
    columns: usize,
    value_columns: usize,
    layout: Layout,
}

/// Where queries, keys and values are.
enum Layout {
    Separate,
    KeysWithValues,
    Together,
}

impl Sizes {
    fn of(call: &Call<'_>, count: usize) -> Option<Self> {
        let (columns, value_columns, layout) = match (call.shape(0)?, call.shape(1), call.shape(2))
        {
            (&[_, _, heads, 3, columns], None, None) if heads == count => {
                (columns, columns, Layout::Together)
            }
            (&[_, _, width], Some(&[_, LENGTH, heads, 2, columns]), None)
                if heads == count && width == count * columns =>
            {
                (columns, columns, Layout::KeysWithValues)
            }
            (&[_, _, width], Some(&[_, LENGTH, key_width]), Some(&[_, LENGTH, values]))
                if width == key_width && width % count == 0 && values % count == 0 =>
            {
                (width / count, values / count, Layout::Separate)
            }
            _ => return None,
        };
        Some(Self {
            count,
            columns,
            value_columns,
            layout,
        })
    }

    /// Rows of queries, keys and values, `[batch, length, heads * columns]`.
    fn rows(&self, call: &mut Call<'_>) -> Option<[String; 3]> {
        let query = call.input(0)?;
        Some(match self.layout {
            Layout::Separate => [query, call.input(1)?, call.input(2)?].map(str::to_owned),
            Layout::KeysWithValues => {
                let packed = call.input(1)?;
                let [keys, values] = self.part(call, packed);
                [query.to_owned(), keys, values]
            }
            Layout::Together => self.part(call, query),
        })
    }

    /// Parts that are side by side within each head.
    fn part<const N: usize>(&self, call: &mut Call<'_>, packed: &str) -> [String; N] {
        let parts = call.builder.split(packed, 3, [1; N]);
        let width = (self.count * self.columns) as i64;
        parts.map(|part| call.reshape(&part, &[0, 0, width]))
    }
}

/// The parts of a bias, constants if it is one.
fn split_bias(call: &mut Call<'_>, bias: &str, widths: [usize; 3]) -> [String; 3] {
    let values = call.trace.index().floats(bias);
    let Some(values) = values.filter(|values| values.len() == widths.iter().sum::<usize>()) else {
        return call
            .builder
            .split(bias, 0, widths.map(|width| width as i64));
    };
    let mut rest = values.as_slice();
    widths.map(|width| {
        let (part, others) = rest.split_at(width);
        rest = others;
        call.builder.floats(&[width as i64], part.to_vec())
    })
}
