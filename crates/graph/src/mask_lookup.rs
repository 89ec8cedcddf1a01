//! The attention mask, as current exporters look it up.

use super::Graph;
use super::onnx::NodeProto;
use super::values::{Values, constant_node};

/// Reads the attention mask `[batch, length]` as `[batch, 1, 1, length]` by a
/// single `Unsqueeze`. Returns whether any lookup was replaced.
///
/// Exporters write `mask[b, s]` for all `b` and `s` as a gather from the
/// flattened mask at `b * length + s`. The flattened mask has `batch * length`
/// elements, a product of two unknowns that symbolic shape inference gives up
/// on.
pub fn replace_mask_lookup(graph: &mut Graph) -> bool {
    let values = Values::new(graph);
    let found: Vec<(usize, String)> = graph
        .nodes()
        .iter()
        .enumerate()
        .filter_map(|(at, node)| Some((at, looked_up(&values, node)?.to_owned())))
        .collect();
    let changed = !found.is_empty();
    // From the end, so that positions before stay valid.
    for (at, mask) in found.into_iter().rev() {
        let nodes = &mut graph.graph.node;
        let axes = format!("{}_axes", nodes[at].output.join("_"));
        nodes[at].op_type = Some("Unsqueeze".to_owned());
        nodes[at].input = vec![mask, axes.clone()];
        nodes[at].attribute.clear();
        nodes.insert(at, constant_node(&axes, &[1, 2]));
    }
    if changed {
        graph.remove_dead_nodes();
    }
    changed
}

/// The mask that `node` is a lookup of: `Reshape(Reshape(Gather(Flatten(mask),
/// index), [-1]), Shape(index))`.
fn looked_up<'a>(values: &Values<'a>, node: &'a NodeProto) -> Option<&'a str> {
    let [flat, shape] = inputs(node, "Reshape")?;
    let [gathered, _] = inputs(values.made_by(flat, "Reshape")?, "Reshape")?;
    let gather = values.made_by(gathered, "Gather")?;
    let [elements, index] = inputs(gather, "Gather")?;
    let flatten = values.made_by(elements, "Flatten")?;
    let mask = flatten.input.first()?;
    // [length] of the flattened elements, one each.
    let column = flatten.attribute("axis").and_then(|axis| axis.i) == Some(2);

    let shape = values.before(shape, &["Concat", "Identity"]);
    let same_shape = values.made_by(shape, "Shape")?.input.first()? == index;
    (column && same_shape && is_row_major(values, index, mask)).then_some(mask)
}

/// Whether `index` is `b * length + s`, `[batch, 1, 1, length]`, over the
/// whole of `mask`.
fn is_row_major<'a>(values: &Values<'a>, index: &str, mask: &str) -> bool {
    let matches = || {
        let [columns, starts] = inputs(values.made_by(index, "Add")?, "Add")?;
        let [rows, stride] = inputs(values.made_by(starts, "Mul")?, "Mul")?;
        let over = |value| -> Option<(&'a str, i64, Vec<i64>)> {
            let (range, axes) = unsqueezed(values, value)?;
            let [start, end, step] = range.input.as_slice() else {
                return None;
            };
            let whole = values.is_integer(start, 0) && values.is_integer(step, 1);
            let (of, axis) = values.size_of(end).filter(|_| whole)?;
            Some((of, axis, axes))
        };
        let (of_columns, column_axis, column_axes) = over(columns)?;
        let (_, row_axis, row_axes) = over(rows)?;
        let (of_stride, stride_axis) = values.size_of(stride)?;
        // Every tensor of an encoder has the batch in front, so that it does
        // not matter whose first axis the rows are counted by.
        Some(
            (of_columns, column_axis, column_axes.as_slice()) == (mask, 1, &[0, 1, 2])
                && (row_axis, row_axes.as_slice()) == (0, &[1, 2, 3])
                && (of_stride, stride_axis) == (mask, 1),
        )
    };
    matches().unwrap_or(false)
}

/// The range that `value` is, and the axes of size 1 that were added to it.
fn unsqueezed<'a>(values: &Values<'a>, value: &'a str) -> Option<(&'a NodeProto, Vec<i64>)> {
    let mut value = value;
    let mut axes = Vec::new();
    // An axis per step; the bound guards against graphs with a cycle.
    while let Some(node) = values
        .made_by(value, "Unsqueeze")
        .filter(|_| axes.len() < 4)
    {
        let [inner, added] = inputs(node, "Unsqueeze")?;
        axes.extend(values.integers(added)?);
        value = inner;
    }
    axes.reverse();
    // In order of insertion, an axis may shift those after it; ascending ones
    // do not.
    let ascending = axes.is_sorted() && axes.iter().all(|&axis| axis >= 0);
    Some((values.made_by(value, "Range")?, axes)).filter(|_| ascending)
}

fn inputs<'a>(node: &'a NodeProto, op: &str) -> Option<[&'a str; 2]> {
    match node.input.as_slice() {
        [first, second] if node.is(op) => Some([first, second]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, integers, node, operators, with_axis};
    use super::*;

    /// A lookup as PyTorch's exporter writes it; `rows` are counted by the
    /// axis given.
    fn lookup(flatten_axis: i64, row_axis: i64) -> Graph {
        let mut nodes = vec![
            integers("zero", &[0]),
            integers("one", &[1]),
            integers("two", &[2]),
            integers("three", &[3]),
            integers("row_axis", &[row_axis]),
            node("Shape", &["ids"], "ids_shape"),
            with_axis(node("Gather", &["ids_shape", "row_axis"], "batch"), 0),
            node("Shape", &["mask"], "mask_shape"),
            with_axis(node("Gather", &["mask_shape", "one"], "length"), 0),
            node("Cast", &["length"], "end"),
            node("Range", &["zero", "end", "one"], "columns"),
            node("Range", &["zero", "batch", "one"], "rows"),
        ];
        let mut unsqueeze = |name: &str, axes: [&str; 3]| {
            for (step, axis) in axes.iter().enumerate() {
                let input = if step == 0 {
                    name.to_owned()
                } else {
                    format!("{name}{step}")
                };
                let output = format!("{name}{}", step + 1);
                nodes.push(node("Unsqueeze", &[&input, axis], &output));
            }
        };
        unsqueeze("columns", ["zero", "one", "two"]);
        unsqueeze("rows", ["one", "two", "three"]);
        nodes.extend([
            with_axis(node("Flatten", &["mask"], "flat"), flatten_axis),
            node("Mul", &["rows3", "length"], "starts"),
            node("Add", &["columns3", "starts"], "index"),
            with_axis(node("Gather", &["flat", "index"], "gathered"), 0),
            node("Shape", &["index"], "index_shape"),
            integers("all", &[-1]),
            node("Reshape", &["gathered", "all"], "line"),
            node("Reshape", &["line", "index_shape"], "out"),
        ]);
        graph(&["ids", "mask"], nodes, &["out"])
    }

    #[test]
    fn a_lookup_of_the_whole_mask_becomes_one_unsqueeze() {
        let mut graph = lookup(2, 0);
        assert!(replace_mask_lookup(&mut graph));
        assert_eq!(operators(&graph), ["Unsqueeze"]);
        let last = graph.nodes().last().unwrap();
        assert_eq!(last.input[0], "mask");
        assert_eq!(last.output, ["out"]);
        assert!(!replace_mask_lookup(&mut graph));
    }

    #[test]
    fn other_lookups_stay() {
        for mut graph in [lookup(1, 0), lookup(2, 1)] {
            let before = operators(&graph).len();
            assert!(!replace_mask_lookup(&mut graph));
            assert_eq!(operators(&graph).len(), before);
        }
    }
}
