//! The guard against rows of attention that attend to nothing.

use super::Graph;
use super::onnx::NodeProto;
use super::values::{Values, integers};

/// What becomes of a guard.
enum Rewrite {
    /// The guard at this position can never fire: pass its input on.
    Remove { guard: usize, softmax: String },
    /// Let the guard work on the product that reads it.
    Move {
        guard: usize,
        product: usize,
        softmax: String,
    },
}

/// Takes the guard `Where(IsNaN(softmax), 0, softmax)` off the attention
/// weights, `[batch, heads, length, length]`, where it costs a large part of
/// the time. Returns whether there was one. Run it after
/// [`replace_mask_lookup`](super::replace_mask_lookup).
///
/// A row of softmax is NaN where its token attends to nothing. With a mask
/// that is the same for every row this cannot be, for texts have a `[CLS]` that
/// is always attended to, and the guard is removed. With a sliding window it
/// happens to padding far from the text. Then the guard moves behind the
/// product with the values: a row of weights is NaN as a whole and so is its
/// product, which has only as many columns as a head.
pub fn lift_nan_guards(graph: &mut Graph) -> bool {
    let mut changed = false;
    // Each rewrite moves nodes, so that positions are looked up again. There
    // are no more guards than nodes; the bound guards against corrupt graphs.
    for _ in 0..graph.nodes().len() {
        let Some(rewrite) = next_rewrite(graph) else {
            break;
        };
        apply(&mut graph.graph.node, rewrite);
        changed = true;
    }
    if changed {
        graph.remove_dead_nodes();
    }
    changed
}

fn next_rewrite(graph: &Graph) -> Option<Rewrite> {
    let values = Values::new(graph);
    (0..graph.nodes().len()).find_map(|at| rewrite(graph, &values, at))
}

fn rewrite(graph: &Graph, values: &Values<'_>, guard: usize) -> Option<Rewrite> {
    let nodes = graph.nodes();
    let node = &nodes[guard];
    let [condition, zero, softmax] = node.input.as_slice() else {
        return None;
    };
    let tested = values.made_by(condition, "IsNaN")?.input.first();
    let zeros = values.floats(zero)?.iter().all(|&one| one == 0.0);
    if !node.is("Where") || tested != Some(softmax) || !zeros {
        return None;
    }
    let scores = values.made_by(softmax, "Softmax")?.input.first()?;
    let softmax = softmax.clone();
    if masks_all_rows_alike(values, scores) {
        return Some(Rewrite::Remove { guard, softmax });
    }
    let output = node.output.first()?;
    let product = (guard..nodes.len()).find(|&at| {
        let node = &nodes[at];
        node.is("MatMul") && node.input.first() == Some(output) && node.output.len() == 1
    })?;
    (values.readers(output) == 1).then_some(Rewrite::Move {
        guard,
        product,
        softmax,
    })
}

/// Whether `scores` are masked by the attention mask alone, so that every row
/// attends to what it does.
fn masks_all_rows_alike(values: &Values<'_>, scores: &str) -> bool {
    let condition = || {
        let sum = values.made_by(scores, "Add")?;
        let mask = sum
            .input
            .iter()
            .find_map(|input| values.made_by(input, "Where"))?;
        mask.input.first()
    };
    condition().is_some_and(|condition| is_same_for_rows(values, condition, 0))
}

fn is_same_for_rows(values: &Values<'_>, value: &str, depth: usize) -> bool {
    let value = values.before(value, &["Cast", "Identity", "Expand"]);
    if let Some(node) = values.made_by(value, "And") {
        // The bound guards against corrupt graphs.
        return depth < 16
            && node
                .input
                .iter()
                .all(|input| is_same_for_rows(values, input, depth + 1));
    }
    if let Some(node) = values.made_by(value, "Unsqueeze") {
        // Of `[batch, length]` this makes `[batch, 1, 1, length]`.
        return node.input.get(1).and_then(|axes| values.integers(axes)) == Some(vec![1, 2]);
    }
    is_true_everywhere(values, value)
}

fn is_true_everywhere(values: &Values<'_>, value: &str) -> bool {
    if let Some(node) = values.made_by(value, "ConstantOfShape") {
        let fill = node
            .attribute("value")
            .and_then(|value| integers(value.t.as_ref()?));
        return fill.is_some_and(|fill| fill == [1]);
    }
    let Some(node) = values.made_by(value, "GreaterOrEqual") else {
        return false;
    };
    let [position, least] = node.input.as_slice() else {
        return false;
    };
    // Positions are counted from 0.
    let range = values.made_by(values.before(position, &["Unsqueeze"]), "Range");
    let start = range.and_then(|range| range.input.first());
    values.is_integer(least, 0) && start.is_some_and(|start| values.is_integer(start, 0))
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
    use super::super::testing::{float, graph, integers, node, operators, truths, with_axis};
    use super::*;

    /// Attention over `scores` and `values`, masked where `condition` says.
    fn attention(condition: &str, zero: f32) -> Graph {
        let nodes = vec![
            integers("axes", &[1, 2]),
            integers("none", &[]),
            float("zero", zero),
            float("minus", f32::NEG_INFINITY),
            node("Unsqueeze", &["mask", "axes"], "wide"),
            truths("none", "true"),
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
    fn what_is_no_guard_stays() {
        assert!(!lift_nan_guards(&mut attention("same", 1.0)));
        // Someone else reads the guarded weights too.
        let mut shared = attention("sliding", 0.0);
        let reader = node("Erf", &["guarded"], "second");
        shared.graph.node.push(reader);
        shared
            .graph
            .output
            .extend(graph(&[], vec![], &["second"]).graph.output);
        assert!(!lift_nan_guards(&mut shared));
    }
}
