//! The lookup by which current exporters broadcast the attention mask.

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::node::constant_node;
use crate::onnx::NodeProto;

/// Broadcasts the attention mask, `[batch, length]`, to `[batch, 1, 1, length]`
/// by a single `Unsqueeze`.
///
/// Exporters write `mask[b, s]` for all `b` and `s` as a gather from the
/// flattened mask at `b * length + s`. The flattened mask has `batch * length`
/// elements, a product of two unknowns that symbolic shape inference cannot
/// handle.
pub fn replace_mask_lookup(graph: &mut Graph) -> bool {
    let index = ValueIndex::new(graph);
    let found: Vec<(usize, String)> = graph
        .nodes()
        .iter()
        .enumerate()
        .filter_map(|(at, node)| Some((at, looked_up(&index, node)?.to_owned())))
        .collect();
    let changed = !found.is_empty();
    // From the end, so that earlier positions stay valid.
    for (at, mask) in found.into_iter().rev() {
        let nodes = &mut graph.proto_mut().node;
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

/// The mask, if `node` is `Reshape(Reshape(Gather(Flatten(mask), positions),
/// [-1]), Shape(positions))`.
fn looked_up<'a>(index: &ValueIndex<'a>, node: &'a NodeProto) -> Option<&'a str> {
    let [flat, shape] = inputs(node, "Reshape")?;
    let [gathered, _] = inputs(index.made_by(flat, "Reshape")?, "Reshape")?;
    let gather = index.made_by(gathered, "Gather")?;
    let [elements, positions] = inputs(gather, "Gather")?;
    let flatten = index.made_by(elements, "Flatten")?;
    let mask = flatten.input.first()?;
    // One element in each row of the flattened mask.
    let column = flatten.attribute("axis").and_then(|axis| axis.i) == Some(2);

    let shape = index.before(shape, &["Concat", "Identity"]);
    let same_shape = index.made_by(shape, "Shape")?.input.first()? == positions;
    (column && same_shape && is_row_major(index, positions, mask)).then_some(mask)
}

/// Whether `positions` is `b * length + s`, `[batch, 1, 1, length]`, for all of
/// `mask`.
fn is_row_major<'a>(index: &ValueIndex<'a>, positions: &str, mask: &str) -> bool {
    let matches = || {
        let [columns, starts] = inputs(index.made_by(positions, "Add")?, "Add")?;
        let [rows, stride] = inputs(index.made_by(starts, "Mul")?, "Mul")?;
        let columns = counted(index, columns)?;
        let rows = counted(index, rows)?;
        let row = Size {
            tensor: mask,
            axis: 1,
        };
        // The first axis of every tensor of an encoder is the batch, so that it
        // does not matter of which tensor it is the size.
        Some(
            columns.size == row
                && columns.axes == [0, 1, 2]
                && rows.size.axis == 0
                && rows.axes == [1, 2, 3]
                && size(index, stride)? == row,
        )
    };
    matches().unwrap_or(false)
}

/// The size of a tensor along an axis.
#[derive(PartialEq)]
struct Size<'a> {
    tensor: &'a str,
    axis: i64,
}

/// The size that `value` is: `Gather(Shape(tensor), axis)`, perhaps cast.
fn size<'a>(index: &ValueIndex<'a>, value: &'a str) -> Option<Size<'a>> {
    let gather = index.made_by(index.before(value, &["Cast", "Identity"]), "Gather")?;
    let [shape, axis] = gather.input.as_slice() else {
        return None;
    };
    let shape = index.made_by(shape, "Shape")?;
    match index.integers(axis)?.as_slice() {
        &[axis] if shape.attribute.is_empty() => Some(Size {
            tensor: shape.input.first()?,
            axis,
        }),
        _ => None,
    }
}

/// The numbers from 0 up to a size, and the axes of size 1 that were added to
/// them.
struct Counted<'a> {
    size: Size<'a>,
    axes: Vec<i64>,
}

fn counted<'a>(index: &ValueIndex<'a>, value: &'a str) -> Option<Counted<'a>> {
    let mut value = value;
    let mut axes = Vec::new();
    // One axis in each step; the bound guards against graphs with a cycle.
    while let Some(node) = index.made_by(value, "Unsqueeze").filter(|_| axes.len() < 4) {
        let [inner, added] = inputs(node, "Unsqueeze")?;
        axes.extend(index.integers(added)?);
        value = inner;
    }
    axes.reverse();
    // An axis that is inserted later may shift earlier ones, unless they are
    // in ascending order.
    let is_ascending = axes.is_sorted() && axes.iter().all(|&axis| axis >= 0);
    let range = index.made_by(value, "Range").filter(|_| is_ascending)?;
    let [start, end, step] = range.input.as_slice() else {
        return None;
    };
    let is_whole = index.is_integer(start, 0) && index.is_integer(step, 1);
    let size = size(index, end).filter(|_| is_whole)?;
    Some(Counted { size, axes })
}

fn inputs<'a>(node: &'a NodeProto, op: &str) -> Option<[&'a str; 2]> {
    match node.input.as_slice() {
        [first, second] if node.is(op) => Some([first, second]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{graph, integers, node, operators, with_axis};

    /// A lookup as PyTorch's exporter writes it. The number of rows is the size
    /// of `row_axis`.
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
    fn other_lookups_are_kept() {
        for mut graph in [lookup(1, 0), lookup(2, 1)] {
            let before = operators(&graph).len();
            assert!(!replace_mask_lookup(&mut graph));
            assert_eq!(operators(&graph).len(), before);
        }
    }
}
