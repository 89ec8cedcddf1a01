//! The guard against NaN in attention, for tokens that attend to nothing.

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::node::integer_elements;
use crate::onnx::NodeProto;

/// How a guard is rewritten.
enum Rewrite {
    /// It cannot fire: read its input instead.
    Remove { guard: usize, softmax: String },
    /// Guard the product that reads it instead.
    Move {
        guard: usize,
        product: usize,
        softmax: String,
    },
}

/// Removes the guard `Where(IsNaN(softmax), 0, softmax)` from the attention
/// weights, `[batch, heads, length, length]`, where it takes a large part of
/// the time. To be run after
/// [`replace_mask_lookup`](super::replace_mask_lookup).
///
/// A row of softmax is NaN where its token attends to nothing. With a mask
/// that is the same for all rows this cannot happen, since all tokens attend to
/// `[CLS]`, and the guard is removed. With a sliding window it happens to
/// padding far from the text. Then the guard moves behind the product with the
/// values: if any weight of a row is NaN, all are, and so is all of the row's
/// product, which has only as many columns as a head.
pub fn lift_nan_guards(graph: &mut Graph) -> bool {
    let mut changed = false;
    // A rewrite moves nodes, so that positions have to be found again. There
    // are fewer guards than nodes; the bound is for corrupt graphs.
    for _ in 0..graph.nodes().len() {
        let Some(rewrite) = next_rewrite(graph) else {
            break;
        };
        apply(&mut graph.proto_mut().node, rewrite);
        changed = true;
    }
    if changed {
        graph.remove_dead_nodes();
    }
    changed
}

fn next_rewrite(graph: &Graph) -> Option<Rewrite> {
    let index = ValueIndex::new(graph);
    (0..graph.nodes().len()).find_map(|at| rewrite(&index, at))
}

fn rewrite(index: &ValueIndex<'_>, guard: usize) -> Option<Rewrite> {
    let nodes = index.graph().nodes();
    let node = &nodes[guard];
    let [condition, zero, softmax] = node.input.as_slice() else {
        return None;
    };
    let tested = index.made_by(condition, "IsNaN")?.input.first();
    let zeros = index.floats(zero)?.iter().all(|&element| element == 0.0);
    if !node.is("Where") || tested != Some(softmax) || !zeros {
        return None;
    }
    let scores = index.made_by(softmax, "Softmax")?.input.first()?;
    let softmax = softmax.clone();
    if masks_all_rows_alike(index, scores) {
        return Some(Rewrite::Remove { guard, softmax });
    }
    let output = node.output.first()?;
    let product = (guard..nodes.len()).find(|&at| {
        let node = &nodes[at];
        node.is("MatMul") && node.input.first() == Some(output) && node.output.len() == 1
    })?;
    (index.readers(output).len() == 1).then_some(Rewrite::Move {
        guard,
        product,
        softmax,
    })
}

/// Whether `scores` are masked by the attention mask alone, so that all rows
/// attend to the same tokens.
fn masks_all_rows_alike(index: &ValueIndex<'_>, scores: &str) -> bool {
    let condition = || {
        let sum = index.made_by(scores, "Add")?;
        let mask = sum
            .input
            .iter()
            .find_map(|input| index.made_by(input, "Where"))?;
        mask.input.first()
    };
    condition().is_some_and(|condition| is_same_for_rows(index, condition, 0))
}

fn is_same_for_rows(index: &ValueIndex<'_>, value: &str, depth: usize) -> bool {
    let value = index.before(value, &["Cast", "Identity", "Expand"]);
    if let Some(node) = index.made_by(value, "And") {
        // The bound is for corrupt graphs.
        return depth < 16
            && node
                .input
                .iter()
                .all(|input| is_same_for_rows(index, input, depth + 1));
    }
    if let Some(node) = index.made_by(value, "Unsqueeze") {
        // From `[batch, length]` to `[batch, 1, 1, length]`.
        return node.input.get(1).and_then(|axes| index.integers(axes)) == Some(vec![1, 2]);
    }
    is_true_everywhere(index, value)
}

fn is_true_everywhere(index: &ValueIndex<'_>, value: &str) -> bool {
    if let Some(node) = index.made_by(value, "ConstantOfShape") {
        let fill = node
            .attribute("value")
            .and_then(|value| integer_elements(value.t.as_ref()?));
        return fill.is_some_and(|fill| fill == [1]);
    }
    let Some(node) = index.made_by(value, "GreaterOrEqual") else {
        return false;
    };
    let [position, least] = node.input.as_slice() else {
        return false;
    };
    // Positions are counted from 0.
    let range = index.made_by(index.before(position, &["Unsqueeze"]), "Range");
    let start = range.and_then(|range| range.input.first());
    index.is_integer(least, 0) && start.is_some_and(|start| index.is_integer(start, 0))
}

fn apply(nodes: &mut Vec<NodeProto>, rewrite: Rewrite) {
    match rewrite {
        Rewrite::Remove { guard, softmax } => {
            let node = &mut nodes[guard];
            node.op_type = Some("Identity".to_owned());
            node.input = vec![softmax];
        }
        Rewrite::Move {
            guard,
            product,
            softmax,
        } => {
            let result = nodes[product].output[0].clone();
            let raw = format!("{result}_unguarded");
            let tested = format!("{result}_is_nan");
            let mut moved = nodes[guard].clone();
            nodes[product].input[0] = softmax;
            nodes[product].output[0] = raw.clone();
            moved.input[0] = tested.clone();
            moved.input[2] = raw.clone();
            moved.output = vec![result];
            let test = NodeProto {
                input: vec![raw],
                output: vec![tested],
                op_type: Some("IsNaN".to_owned()),
                ..NodeProto::default()
            };
            nodes.splice(product + 1..product + 1, [test, moved]);
            nodes.remove(guard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        all_true, float, graph, integers, node, operators, value_info, with_axis,
    };

    /// Attention over `scores` and `values`, masked by `condition`.
    fn attention(condition: &str, zero: f32) -> Graph {
        let nodes = vec![
            integers("axes", &[1, 2]),
            integers("none", &[]),
            float("zero", zero),
            float("minus", f32::NEG_INFINITY),
            node("Unsqueeze", &["mask", "axes"], "wide"),
            all_true("none", "true"),
            node("And", &["true", "wide"], "same"),
            node("LessOrEqual", &["distance", "width"], "window"),
            node("And", &["same", "window"], "sliding"),
            node("Where", &[condition, "zero", "minus"], "bias"),
            node("Add", &["scores", "bias"], "masked"),
            with_axis(node("Softmax", &["masked"], "weights"), -1),
            node("IsNaN", &["weights"], "is_nan"),
            node("Where", &["is_nan", "zero", "weights"], "guarded"),
            node("MatMul", &["guarded", "values"], "out"),
        ];
        let inputs = ["mask", "scores", "values", "distance", "width"];
        graph(&inputs, nodes, &["out"])
    }

    #[test]
    fn a_guard_that_cannot_fire_is_removed() {
        let mut graph = attention("same", 0.0);
        assert!(lift_nan_guards(&mut graph));
        assert!(!operators(&graph).contains(&"IsNaN"));
        assert!(!lift_nan_guards(&mut graph));
    }

    #[test]
    fn a_guard_that_can_fire_moves_behind_the_product() {
        let mut graph = attention("sliding", 0.0);
        assert!(lift_nan_guards(&mut graph));
        let found = operators(&graph);
        assert!(found.ends_with(&["Softmax", "MatMul", "IsNaN", "Where"]));
        assert_eq!(graph.nodes().last().unwrap().output, ["out"]);
        assert!(!lift_nan_guards(&mut graph));
    }

    #[test]
    fn what_is_no_guard_is_kept() {
        assert!(!lift_nan_guards(&mut attention("same", 1.0)));
        // Another node reads the guarded weights, too.
        let mut shared = attention("sliding", 0.0);
        let reader = node("Erf", &["guarded"], "second");
        let proto = shared.proto_mut();
        proto.node.push(reader);
        proto.output.push(value_info("second"));
        assert!(!lift_nan_guards(&mut shared));
    }
}
