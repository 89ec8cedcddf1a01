//! Removes selections of rows that are always all rows, or none.
//!
//! XMOD has adapters for each language, and selects the texts of each. An
//! exported graph has one language, so that every text is selected for one
//! adapter and none for the others.

use ndarray::{Array2, Dimension, indices};

use crate::graph::Graph;
use crate::index::ValueIndex;
use crate::node::node;
use crate::onnx::NodeProto;
use crate::trace::{Tensor, Trace};
use multivec_kernels::sample;

/// The most nodes between values and the flat list of them that is scattered.
const REACH: usize = 6;

/// Puts the value itself in place of a `GatherND` or `ScatterND` at positions of
/// `NonZero`, where these are all positions or none, whatever the shape of the
/// batch and its padding.
pub fn replace_known_selections(graph: &mut Graph) -> bool {
    if !graph.nodes().iter().any(|node| node.is("NonZero")) {
        return false;
    }
    let index = ValueIndex::new(graph);
    let traces: Vec<Trace<'_>> = masks()
        .iter()
        .map(|mask| Trace::run(&index, mask))
        .collect();
    let replaced: Vec<Option<NodeProto>> = graph
        .nodes()
        .iter()
        .map(|scatter| {
            let source = gathered(&traces, scatter).or_else(|| scattered(&traces, scatter))?;
            let output = scatter.output.first()?;
            Some(node("Identity", "", &[source], &[output]))
        })
        .collect();
    let is_changed = replaced.iter().any(Option::is_some);
    for (node, identity) in graph.proto_mut().node.iter_mut().zip(replaced) {
        if let Some(identity) = identity {
            *node = identity;
        }
    }
    if is_changed {
        graph.remove_dead_nodes();
    }
    is_changed
}

/// Batches of several shapes, padded on either side. Rows of padding alone show
/// what depends on the mask.
fn masks() -> [Array2<i64>; 3] {
    let mask = |batch, length| {
        Array2::from_shape_fn((batch, length), |(text, token)| {
            let is_token = match text % 4 {
                0 => true,
                1 => token < length / 2,
                2 => token >= length / 2,
                _ => false,
            };
            i64::from(is_token)
        })
    };
    [mask(1, 9), mask(4, 5), mask(17, 3)]
}

/// What positions select of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selection {
    /// All positions of the first axes, as many as this, in order.
    All(usize),
    None,
}

impl Selection {
    /// What these positions of `NonZero` select of `data` on every trace.
    fn of(traces: &[Trace<'_>], positions: &str, data: &str) -> Option<Self> {
        is_of_non_zero(traces.first()?.index(), positions).then_some(())?;
        let mut selections = traces.iter().map(|trace| {
            let (Tensor::Int(positions), data) = (trace.get(positions)?, trace.shape(data)?) else {
                return None;
            };
            let &[count, axes] = positions.shape() else {
                return None;
            };
            if count == 0 {
                return Some(Self::None);
            }
            let all = indices(data.get(..axes)?).into_iter();
            let all = all.flat_map(|at| at.as_array_view().to_vec());
            let is_all = positions.iter().copied().eq(all.map(|at| at as i64));
            is_all.then_some(Self::All(axes))
        });
        let first = selections.next()??;
        selections
            .all(|other| other == Some(first))
            .then_some(first)
    }
}

/// Whether a value is what `NonZero` gives, in another form.
fn is_of_non_zero(index: &ValueIndex<'_>, value: &str) -> bool {
    let mut value = value;
    for _ in 0..REACH {
        let Some(node) = index.producer(value) else {
            return false;
        };
        if node.is("NonZero") {
            return true;
        }
        let moves = ["Expand", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];
        match node.input.first() {
            Some(input) if moves.iter().any(|name| node.is(name)) => value = input,
            _ => return false,
        }
    }
    false
}

/// The value that a `GatherND` of all its rows is equal to.
fn gathered<'g>(traces: &[Trace<'g>], node: &'g NodeProto) -> Option<&'g str> {
    let is_plain = node.is("GatherND") && node.int("batch_dims", 0) == 0;
    let [data, positions] = is_plain.then_some(node.input.as_slice())? else {
        return None;
    };
    (Selection::of(traces, positions, data)? == Selection::All(1)).then_some(data.as_str())
}

/// The value that a `ScatterND` to all positions or to none is equal to.
fn scattered<'g>(traces: &[Trace<'g>], node: &'g NodeProto) -> Option<&'g str> {
    let is_plain = node.is("ScatterND") && matches!(node.string("reduction"), "" | "none");
    let [data, positions, updates] = is_plain.then_some(node.input.as_slice())? else {
        return None;
    };
    match Selection::of(traces, positions, data)? {
        Selection::None => Some(data),
        Selection::All(_) => {
            let mut value = updates.as_str();
            let mut found = None;
            for _ in 0..REACH {
                if is_same(traces, value, data, updates).is_some() {
                    found = Some(value);
                }
                let moves = ["Expand", "Reshape", "Slice"];
                let producer = traces.first()?.index().producer(value);
                let Some(node) = producer.filter(|node| moves.iter().any(|name| node.is(name)))
                else {
                    break;
                };
                value = node.input.first()?;
            }
            found
        }
    }
}

/// Whether updates are the elements of `value`, in order, and `value` has the
/// shape of the data.
fn is_same(traces: &[Trace<'_>], value: &str, data: &str, updates: &str) -> Option<()> {
    for trace in traces {
        let shape = trace.shape(data)?;
        (trace.shape(value)? == shape).then_some(())?;
        if value == updates {
            continue;
        }
        let numbers = sample::numbers().map(|number| number as f32);
        let numbers: Vec<f32> = numbers.take(shape.iter().product()).collect();
        let found = trace.replay(updates, value, Tensor::from_shape(shape, &numbers)?)?;
        (found.floats()? == numbers).then_some(())?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuse;
    use crate::testing::{fixture, graph, integers, node, operators};

    #[test]
    fn adapters_of_the_only_language_are_linear_layers() {
        for (file, linears) in [
            ("tests/fixtures/failing/14-tract-xmod/model.onnx", 17),
            ("tests/fixtures/families/script-17/xmod-sdpa.onnx", 17),
            ("tests/fixtures/families/dynamo-18/xmod-eager.onnx", 17),
        ] {
            let mut graph = fixture(file);
            let fused = fuse(&mut graph);
            for name in ["NonZero", "GatherND", "ScatterND"] {
                assert!(!graph.nodes().iter().any(|node| node.is(name)), "{file}");
            }
            assert_eq!(fused.linears, linears, "{file}");
        }
    }

    /// Rows by a condition, written back.
    fn selection(condition: Vec<NodeProto>) -> Graph {
        let rest = [
            node("NonZero", &["condition"], "places"),
            node("Transpose", &["places"], "positions").with_ints("perm", &[1, 0]),
            node("GatherND", &["input_ids", "positions"], "selected"),
            node("Neg", &["selected"], "negated"),
            node(
                "ScatterND",
                &["input_ids", "positions", "negated"],
                "output",
            ),
        ];
        let nodes = condition.into_iter().chain(rest).collect();
        graph(&["input_ids", "attention_mask"], nodes, &["output"])
    }

    #[test]
    fn selections_of_all_rows_or_of_none_are_removed() {
        let size = |operator: &str| {
            vec![
                node("Shape", &["input_ids"], "shape"),
                integers("zero", &[0]),
                node("Gather", &["shape", "zero"], "batch"),
                node("Expand", &["zero", "batch"], "zeros"),
                node(operator, &["zeros", "batch"], "condition"),
            ]
        };
        let mut all = selection(size("Less"));
        assert!(replace_known_selections(&mut all));
        assert_eq!(operators(&all), ["Identity", "Neg", "Identity"]);
        let mut none = selection(size("Greater"));
        assert!(replace_known_selections(&mut none));
        assert_eq!(operators(&none), ["Identity"]);
    }

    #[test]
    fn selections_that_depend_on_the_batch_stay() {
        let by_mask = vec![
            integers("one", &[1]),
            node("ReduceMax", &["attention_mask"], "largest")
                .with_ints("axes", &[1])
                .with_int("keepdims", 0),
            node("Equal", &["largest", "one"], "condition"),
        ];
        let first_texts = vec![
            node("Shape", &["input_ids"], "shape"),
            integers("zero", &[0]),
            integers("one", &[1]),
            integers("four", &[4]),
            node("Gather", &["shape", "zero"], "batch"),
            node("Squeeze", &["batch"], "end"),
            node("Squeeze", &["zero"], "start"),
            node("Squeeze", &["one"], "step"),
            node("Range", &["start", "end", "step"], "range"),
            node("LessOrEqual", &["range", "four"], "condition"),
        ];
        let by_tokens = vec![
            integers("first", &[0]),
            integers("one", &[1]),
            node("ReduceMax", &["input_ids"], "condition")
                .with_ints("axes", &[1])
                .with_int("keepdims", 0),
        ];
        for condition in [by_mask, first_texts, by_tokens] {
            let mut graph = selection(condition);
            let before = graph.nodes().len();
            assert!(!replace_known_selections(&mut graph));
            assert_eq!(graph.nodes().len(), before);
        }
    }
}
