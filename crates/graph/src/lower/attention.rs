//! Attention in operators of ONNX Runtime.

use std::collections::HashMap;

use super::masks::Masks;
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

impl Attentions {
    pub(super) fn lower(&mut self, attention: &NodeProto, builder: &mut Builder) {
        let input = |at: usize| attention.input.get(at).map_or("", String::as_str);
        let [mut queries, mut keys, values] = projections(attention, builder);
        if !input(4).is_empty() {
            queries = self.rotate(attention, &queries, builder);
            keys = self.rotate(attention, &keys, builder);
        }
        let (width, fill) = (attention.int("window", 0), attention.float("fill", 0.));
        let mask = input(3);
        let (mut padding, mut window) = (String::new(), None);
        if !mask.is_empty() && width > 0 {
            window = Some(self.masks.window(builder, mask, width, fill));
        } else if !mask.is_empty() {
            padding = self.masks.padding(builder, mask);
        }
        let bias = window.as_ref().map_or("", |window| window.bias.as_str());
        let sees_any = window
            .as_ref()
            .and_then(|window| window.sees_any.as_deref());
        let output = attention.output.concat();
        let context = match sees_any {
            Some(_) => builder.unique("MultiHeadAttention"),
            None => output.clone(),
        };
        let inputs = [&queries, &keys, &values, "", &padding, bias];
        let heads = node("MultiHeadAttention", CONTRIB_DOMAIN, &inputs, &[&context])
            .with_int("num_heads", attention.int("heads", 1))
            .with_float("scale", attention.float("scale", 1.))
            .with_float(
                "mask_filter_value",
                if fill.is_finite() { fill } else { f32::MIN },
            );
        builder.push(heads);
        if let Some(sees_any) = sees_any {
            let zero = builder.float(0.);
            builder.push(node("Where", "", &[sees_any, &context, &zero], &[&output]));
        }
    }

    fn rotate(&mut self, attention: &NodeProto, rows: &str, builder: &mut Builder) -> String {
        let interleaved = attention.int("interleaved", 0);
        let columns = attention.int("columns", 0);
        let input = |at: usize| attention.input.get(at).map_or("", String::as_str);
        let [cos, sin] = [input(4), input(5)].map(|table| {
            self.tables
                .entry(table.to_owned())
                .or_insert_with(|| half(builder, table, columns, interleaved != 0))
                .clone()
        });
        let start = builder.ints(&[0]);
        let rotated = builder.unique("RotaryEmbedding");
        let inputs = [rows, &start, &cos, &sin];
        let rotary = node("RotaryEmbedding", CONTRIB_DOMAIN, &inputs, &[&rotated]);
        builder.push(rotary.with_int("interleaved", interleaved));
        rotated
    }
}

/// Rows of queries, keys and values alone, cut out of those that hold more.
fn projections(attention: &NodeProto, builder: &mut Builder) -> [String; 3] {
    let inputs: [&str; 3] =
        std::array::from_fn(|at| attention.input.get(at).map_or("", String::as_str));
    let width = attention.int("heads", 1) * attention.int("columns", 0);
    let sizes = |name: &str, default: i64| -> [i64; 3] {
        let given = attention.ints(name).unwrap_or_default();
        std::array::from_fn(|at| given.get(at).copied().unwrap_or(default))
    };
    let (offsets, widths) = (sizes("offsets", 0), sizes("widths", width));
    let is_packed = inputs.iter().all(|&rows| rows == inputs[0])
        && offsets == [0, width, 2 * width]
        && widths == [3 * width; 3];
    if is_packed {
        let outputs: [String; 3] = std::array::from_fn(|_| builder.unique("Split"));
        let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let sizes = [width; 3];
        let split = if builder.opset() < 13 {
            node("Split", "", &inputs[..1], &names).with_ints("split", &sizes)
        } else {
            let sizes = builder.ints(&sizes);
            node("Split", "", &[inputs[0], &sizes], &names)
        };
        builder.push(split.with_int("axis", -1));
        return outputs;
    }
    std::array::from_fn(|at| {
        let start = offsets[at];
        if start == 0 && widths[at] == width {
            return inputs[at].to_owned();
        }
        let (first, last, axis) = (
            builder.ints(&[start]),
            builder.ints(&[start + width]),
            builder.ints(&[-1]),
        );
        builder.add("Slice", &[inputs[at], &first, &last, &axis])
    })
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
