//! Attention in operators of ONNX Runtime.

use std::collections::HashMap;

use super::masks::{Masks, Sight, differences};
use crate::builder::Builder;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::operators::CONTRIB_DOMAIN;

/// Lowers attentions. Masks and tables that they have in common are computed
/// once.
#[derive(Default)]
pub(super) struct Attentions {
    masks: Masks,
    /// Tables of rotary embedding, by the name of the original one.
    tables: HashMap<String, String>,
}

/// What the product of queries and keys becomes before the softmax.
struct Scores {
    /// Added to the scores, broadcasts to `[batch, heads, length, length]`.
    bias: Option<String>,
    /// Padding, `[batch, length]`, that the bias does not hide.
    padding: String,
    sees_any: Option<String>,
}

impl Attentions {
    pub(super) fn lower(&mut self, attention: &NodeProto, builder: &mut Builder) {
        let heads = attention.int("heads", 1);
        let key_heads = attention.int("key_heads", heads);
        let columns = attention.int("columns", 0);
        let [mut queries, mut keys, mut values] = projections(attention, builder);
        for (rows, heads, at) in [(&mut queries, heads, 6), (&mut keys, key_heads, 7)] {
            if !input(attention, at).is_empty() {
                *rows = normalized(attention, builder, rows, [heads, columns], at);
            }
            if !input(attention, 4).is_empty() {
                *rows = self.rotate(attention, rows, heads, builder);
            }
        }
        if key_heads != heads {
            for rows in [&mut keys, &mut values] {
                *rows = repeated(builder, rows, [key_heads, heads / key_heads, columns]);
            }
        }
        let scores = self.scores(attention, &queries, builder);
        let output = attention.output.concat();
        let rows = [&queries, &keys, &values];
        let context = if attention.float("softcap", 0.) > 0. {
            plain(attention, builder, rows, scores.bias.as_deref())
        } else {
            let fill = attention.float("fill", 0.);
            let bias = scores.bias.as_deref().unwrap_or("");
            let inputs = [&queries, &keys, &values, "", &scores.padding, bias];
            let context = builder.unique("MultiHeadAttention");
            let joined = node("MultiHeadAttention", CONTRIB_DOMAIN, &inputs, &[&context])
                .with_int("num_heads", heads)
                .with_float("scale", attention.float("scale", 1.))
                .with_float(
                    "mask_filter_value",
                    if fill.is_finite() { fill } else { f32::MIN },
                );
            builder.push(joined);
            context
        };
        match scores.sees_any {
            Some(sees_any) => {
                let zero = builder.float(0.);
                let inputs = [sees_any.as_str(), &context, &zero];
                builder.push(node("Where", "", &inputs, &[&output]));
            }
            None => builder.rename(&context, &output),
        }
    }

    fn scores(&mut self, attention: &NodeProto, rows: &str, builder: &mut Builder) -> Scores {
        let sight = Sight {
            mask: input(attention, 3).to_owned(),
            before: attention.int("before", -1),
            after: attention.int("after", -1),
            fill: attention.float("fill", 0.),
        };
        let mut scores = Scores {
            bias: bias(attention, rows, builder),
            padding: String::new(),
            sees_any: None,
        };
        let is_capped = attention.float("softcap", 0.) > 0.;
        if !sight.is_whole() || (is_capped && !sight.mask.is_empty()) {
            let added = self.masks.added(builder, &sight, rows);
            scores.bias = Some(match scores.bias {
                Some(bias) => builder.add("Add", &[&added.bias, &bias]),
                None => added.bias,
            });
            scores.sees_any = added.sees_any;
        } else if !sight.mask.is_empty() {
            scores.padding = self.masks.padding(builder, &sight.mask);
        }
        scores
    }

    fn rotate(
        &mut self,
        attention: &NodeProto,
        rows: &str,
        heads: i64,
        builder: &mut Builder,
    ) -> String {
        let interleaved = attention.int("interleaved", 0);
        let columns = attention.int("columns", 0);
        let rotated = match attention.int("rotated", 0) {
            0 => columns,
            rotated => rotated,
        };
        let [cos, sin] = [4, 5].map(|at| {
            let table = input(attention, at);
            self.tables
                .entry(table.to_owned())
                .or_insert_with(|| half(builder, table, rotated, interleaved != 0))
                .clone()
        });
        let start = builder.ints(&[0]);
        let output = builder.unique("RotaryEmbedding");
        let inputs = [rows, &start, &cos, &sin];
        let mut rotary = node("RotaryEmbedding", CONTRIB_DOMAIN, &inputs, &[&output])
            .with_int("interleaved", interleaved);
        if rotated != columns {
            rotary = rotary
                .with_int("rotary_embedding_dim", rotated)
                .with_int("num_heads", heads);
        }
        builder.push(rotary);
        output
    }
}

/// The name of an input; empty if it is left out.
fn input(attention: &NodeProto, at: usize) -> &str {
    attention.input.get(at).map_or("", String::as_str)
}

/// Rows of queries, keys and values alone, cut out of those that hold more.
fn projections(attention: &NodeProto, builder: &mut Builder) -> [String; 3] {
    let inputs: [&str; 3] = std::array::from_fn(|at| input(attention, at));
    let columns = attention.int("columns", 0);
    let heads = attention.int("heads", 1);
    let key_heads = attention.int("key_heads", heads);
    let wanted = [heads, key_heads, key_heads].map(|heads| heads * columns);
    let sizes = |name: &str, defaults: [i64; 3]| -> [i64; 3] {
        let given = attention.ints(name).unwrap_or_default();
        std::array::from_fn(|at| given.get(at).copied().unwrap_or(defaults[at]))
    };
    let (offsets, widths) = (sizes("offsets", [0; 3]), sizes("widths", wanted));
    let is_packed = inputs.iter().all(|&rows| rows == inputs[0])
        && offsets == [0, wanted[0], wanted[0] + wanted[1]]
        && widths == [wanted.iter().sum::<i64>(); 3];
    if is_packed {
        return builder.split(inputs[0], -1, wanted);
    }
    std::array::from_fn(|at| {
        let start = offsets[at];
        if start == 0 && widths[at] == wanted[at] {
            return inputs[at].to_owned();
        }
        let (first, last, axis) = (
            builder.ints(&[start]),
            builder.ints(&[start + wanted[at]]),
            builder.ints(&[-1]),
        );
        builder.add("Slice", &[inputs[at], &first, &last, &axis])
    })
}

/// Rows whose heads are normalized, by the scale that is the input `at`.
fn normalized(
    attention: &NodeProto,
    builder: &mut Builder,
    rows: &str,
    [heads, columns]: [i64; 2],
    at: usize,
) -> String {
    let epsilon = ["query_epsilon", "key_epsilon"][usize::from(at == 7)];
    let epsilon = attention.float(epsilon, 0.);
    let split = builder.ints(&[0, 0, heads, columns]);
    let split = builder.add("Reshape", &[rows, &split]);
    let inputs = [split.as_str(), input(attention, at)];
    let normal = builder.add_with("SimplifiedLayerNormalization", &inputs, |node| {
        node.with_int("axis", -1).with_float("epsilon", epsilon)
    });
    let joined = builder.ints(&[0, 0, heads * columns]);
    builder.add("Reshape", &[&normal, &joined])
}

/// Rows in which each head is there `repeats` times, one after the other.
fn repeated(builder: &mut Builder, rows: &str, [heads, repeats, columns]: [i64; 3]) -> String {
    let split = builder.ints(&[0, 0, heads, 1, columns]);
    let split = builder.add("Reshape", &[rows, &split]);
    let sizes = builder.ints(&[1, 1, 1, repeats, 1]);
    let all = builder.add("Expand", &[&split, &sizes]);
    let joined = builder.ints(&[0, 0, heads * repeats * columns]);
    builder.add("Reshape", &[&all, &joined])
}

/// The bias as `[1, heads, length, length]`, if there is one.
fn bias(attention: &NodeProto, rows: &str, builder: &mut Builder) -> Option<String> {
    let mut bias = input(attention, 8).to_owned();
    if bias.is_empty() {
        return None;
    }
    if attention.int("relative", 0) != 0 {
        let differences = differences(builder, rows);
        let shape = builder.add("Shape", &[rows]);
        let one = builder.int(1);
        let length = builder.add_with("Gather", &[&shape, &one], |node| node.with_int("axis", 0));
        let last = builder.add("Sub", &[&length, &one]);
        let at = builder.add("Sub", &[&last, &differences]);
        bias = builder.add_with("Gather", &[&bias, &at], |node| node.with_int("axis", 1));
    }
    Some(builder.add_over("Unsqueeze", &bias, &[0], 13, |node| node))
}

/// Attention in standard operators, for capped scores.
fn plain(
    attention: &NodeProto,
    builder: &mut Builder,
    [queries, keys, values]: [&String; 3],
    bias: Option<&str>,
) -> String {
    let (heads, columns) = (attention.int("heads", 1), attention.int("columns", 0));
    let cap = attention.float("softcap", 0.);
    let shape = builder.ints(&[0, 0, heads, columns]);
    let split = |builder: &mut Builder, rows: &str, order: [i64; 4]| {
        let split = builder.add("Reshape", &[rows, &shape]);
        builder.add_with("Transpose", &[&split], |node| {
            node.with_ints("perm", &order)
        })
    };
    let queries = split(builder, queries, [0, 2, 1, 3]);
    let keys = split(builder, keys, [0, 2, 3, 1]);
    let values = split(builder, values, [0, 2, 1, 3]);
    let products = builder.add("MatMul", &[&queries, &keys]);
    let factor = builder.float(attention.float("scale", 1.) / cap);
    let scaled = builder.add("Mul", &[&products, &factor]);
    let bounded = builder.add("Tanh", &[&scaled]);
    let cap = builder.float(cap);
    let mut scores = builder.add("Mul", &[&bounded, &cap]);
    if let Some(bias) = bias {
        scores = builder.add("Add", &[&scores, bias]);
    }
    let weights = builder.add_with("Softmax", &[&scores], |node| node.with_int("axis", -1));
    let context = builder.add("MatMul", &[&weights, &values]);
    let rows = builder.add_with("Transpose", &[&context], |node| {
        node.with_ints("perm", &[0, 2, 1, 3])
    });
    let shape = builder.ints(&[0, 0, heads * columns]);
    builder.add("Reshape", &[&rows, &shape])
}

/// One of each pair of columns of a table, since both are rotated by the same
/// angle: the first half of the columns, or every second one.
fn half(builder: &mut Builder, table: &str, columns: i64, interleaved: bool) -> String {
    let shape = builder.ints(&[-1, columns]);
    let rows = builder.add("Reshape", &[table, &shape]);
    let (start, axis) = (builder.ints(&[0]), builder.ints(&[1]));
    let (end, step) = if interleaved {
        (columns, 2)
    } else {
        (columns / 2, 1)
    };
    let (end, step) = (builder.ints(&[end]), builder.ints(&[step]));
    builder.add("Slice", &[&rows, &start, &end, &axis, &step])
}
