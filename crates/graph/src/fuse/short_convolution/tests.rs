use super::super::fuse;
use crate::graph::Graph;
use crate::node::node as with_outputs;
use crate::onnx::{FLOAT, NodeProto, TensorProto};
use crate::operators::SHORT_CONVOLUTION;
use crate::testing::{fixture, graph, integers, node};

const WIDTH: i64 = 6;

fn weights(name: &str, dims: &[i64]) -> TensorProto {
    let count = dims.iter().product::<i64>();
    let values = (0..count).flat_map(|at| ((at as f32) * 0.7).sin().to_le_bytes());
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(FLOAT),
        raw_data: Some(values.collect::<Vec<u8>>().into()),
        ..TensorProto::default()
    }
}

/// A convolution of rows from a table, with these nodes from `rows` to `output`.
fn model(nodes: Vec<NodeProto>) -> Graph {
    let start = [
        node("Gather", &["table", "input_ids"], "rows"),
        node("Shape", &["input_ids"], "shape"),
        integers("zero", &[0]),
        integers("one", &[1]),
        integers("two", &[2]),
        integers("five", &[5]),
        node("Gather", &["shape", "one"], "length"),
        node("Add", &["length", "one"], "length_and_one"),
    ];
    let end = [node("Identity", &["output"], "last_hidden_state")];
    let nodes = start.into_iter().chain(nodes).chain(end).collect();
    let mut graph = graph(
        &["input_ids", "attention_mask"],
        nodes,
        &["last_hidden_state"],
    );
    graph.proto_mut().initializer = vec![
        weights("table", &[9, 3 * WIDTH]),
        weights("filter", &[WIDTH, 1, 3]),
        weights("bias", &[WIDTH]),
        weights("factor", &[1]),
    ];
    graph
}

fn columns(from: &str, to: &str) -> NodeProto {
    node("Transpose", &[from], to).with_ints("perm", &[0, 2, 1])
}

/// As PyTorch's exporters write it, with changes to its convolution, to the
/// bounds of what is kept of it, and to the part that is its gate.
fn exported(
    conv: impl FnOnce(NodeProto) -> NodeProto,
    [start, end]: [&str; 2],
    [left, right, gate]: [&str; 3],
) -> Graph {
    let convolution = node("Conv", &["product", "filter"], "convolved")
        .with_ints("pads", &[2, 2])
        .with_int("group", WIDTH);
    model(vec![
        columns("rows", "columns"),
        with_outputs("Split", "", &["columns"], &["b", "c", "x"]).with_int("axis", 1),
        node("Mul", &[left, right], "product"),
        conv(convolution),
        node("Slice", &["convolved", start, end, "two"], "kept"),
        node("Mul", &[gate, "kept"], "gated"),
        columns("gated", "output"),
    ])
}

const BOUNDS: [&str; 2] = ["zero", "length"];
const PARTS: [&str; 3] = ["b", "x", "c"];

fn found(mut graph: Graph) -> Option<NodeProto> {
    let count = fuse(&mut graph).short_convolutions;
    let mut nodes = graph
        .nodes()
        .iter()
        .filter(|node| node.is_ours(SHORT_CONVOLUTION));
    let first = nodes.next().cloned();
    assert_eq!(count, first.iter().count());
    first
}

#[test]
fn exported_forms_are_recognised() {
    for parts in [PARTS, ["x", "b", "c"]] {
        let fused = found(exported(|conv| conv, BOUNDS, parts)).expect("it is recognised");
        assert_eq!(fused.input, ["rows", "filter"]);
        assert_eq!(fused.int("before", -1), 2);
    }
    // All in rows, padded before, with a bias after.
    let part = |at: i64, name: &str| {
        let (start, end) = (format!("{name}_start"), format!("{name}_end"));
        [
            integers(&start, &[at * WIDTH]),
            integers(&end, &[(at + 1) * WIDTH]),
            node("Slice", &["rows", &start, &end, "two"], name),
        ]
    };
    let nodes = [part(1, "c"), part(0, "b"), part(2, "x")].concat();
    let rest = [
        node("Mul", &["x", "b"], "product"),
        columns("product", "columns"),
        integers("pads", &[0, 0, 1, 0, 0, 1]),
        node("Pad", &["columns", "pads"], "padded"),
        node("Conv", &["padded", "filter"], "convolved").with_int("group", WIDTH),
        columns("convolved", "mixed"),
        node("Add", &["bias", "mixed"], "shifted"),
        node("Mul", &["shifted", "c"], "output"),
    ];
    let graph = model([nodes, rest.to_vec()].concat());
    let fused = found(graph).expect("it is recognised");
    assert_eq!(fused.input, ["rows", "filter", "bias"]);
    assert_eq!(fused.int("before", -1), 1);
}

#[test]
fn what_computes_something_else_stays() {
    let same = |conv: NodeProto| conv;
    for (name, graph) in [
        (
            "later rows",
            exported(same, ["one", "length_and_one"], PARTS),
        ),
        ("a constant length", exported(same, ["zero", "five"], PARTS)),
        ("another gate", exported(same, BOUNDS, ["b", "c", "x"])),
        ("one part twice", exported(same, BOUNDS, ["b", "b", "c"])),
        (
            "rows apart",
            exported(|conv| conv.with_ints("dilations", &[2]), BOUNDS, PARTS),
        ),
    ] {
        // Rows after their own are a convolution all the same, if it keeps the
        // length.
        let expected = (name == "later rows").then_some(1);
        let found = found(graph).map(|fused| fused.int("before", -1));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn exported_models_are_recognised() {
    let mut graph = fixture("tests/fixtures/failing/12-tract-conv/model.onnx");
    assert_eq!(fuse(&mut graph).short_convolutions, 2);
    assert!(!graph.nodes().iter().any(|node| node.is("Conv")));
}
