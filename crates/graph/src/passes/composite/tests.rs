use super::expand_composites;
use crate::graph::Graph;
use crate::node::{constant_node, node};
use crate::onnx::{BOOL, FLOAT, NodeProto, TensorProto};
use crate::operators::CONTRIB_DOMAIN;
use crate::testing::{graph, operators};

/// A graph of one node that reads `x`, `[batch, length, 8]`, the `mask` of
/// booleans and `weights`, `[8, 24]`.
fn call(composite: NodeProto) -> Graph {
    let outputs: Vec<String> = composite.output.clone();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let nodes = vec![
        node("Gather", "", &["table", "input_ids"], &["x"]),
        node("Cast", "", &["attention_mask"], &["mask"]).with_int("to", BOOL.into()),
        composite,
    ];
    let mut graph = graph(&["input_ids", "attention_mask"], nodes, &outputs);
    for (name, dims) in [("table", [3000, 8]), ("weights", [8, 24])] {
        graph.proto_mut().initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: dims.to_vec(),
            data_type: Some(FLOAT),
            float_data: vec![0.5; (dims[0] * dims[1]) as usize],
            ..TensorProto::default()
        });
    }
    graph
}

fn standard(inputs: &[&str], outputs: &[&str]) -> NodeProto {
    node("Attention", "", inputs, outputs)
        .with_int("q_num_heads", 2)
        .with_int("kv_num_heads", 2)
}

fn packed(inputs: &[&str]) -> NodeProto {
    node("Attention", CONTRIB_DOMAIN, inputs, &["out"]).with_int("num_heads", 2)
}

#[test]
fn attention_is_taken_apart() {
    for composite in [
        standard(&["x", "x", "x"], &["out"]),
        standard(&["x", "x", "x"], &["out"]).with_int("is_causal", 1),
        packed(&["x", "weights"]),
        packed(&["x", "weights", "", "mask"]),
        packed(&["x", "weights"]).with_int("unidirectional", 1),
    ] {
        let mut graph = call(composite);
        assert!(expand_composites(&mut graph));
        let found = operators(&graph);
        assert!(found.contains(&"Softmax"), "{found:?}");
        assert!(!found.contains(&"Attention"), "{found:?}");
        assert!(!expand_composites(&mut graph));
    }
}

#[test]
fn other_forms_are_kept() {
    for composite in [
        // Past keys, and what the next call needs of this one.
        standard(&["x", "x", "x", "", "x", "x"], &["out"]),
        standard(&["x", "x", "x"], &["out", "keys", "values"]),
        // A mask of some keys.
        standard(&["x", "x", "x", "table"], &["out"]),
        // Heads that are no divisor.
        node("Attention", "", &["x", "x", "x"], &["out"])
            .with_int("q_num_heads", 3)
            .with_int("kv_num_heads", 2),
        packed(&["x", "weights"]).with_int("do_rotary", 1),
        packed(&["x", "weights", "", "", "x"]),
        packed(&["x", "weights"]).with_ints("qkv_hidden_sizes", &[8, 4, 12]),
        packed(&["x", "weights", "", "table"]),
        node(
            "RotaryEmbedding",
            CONTRIB_DOMAIN,
            &["x", "input_ids", "table", "table"],
            &["out"],
        )
        .with_int("is_packed_batching", 1),
        node("FusedGemm", CONTRIB_DOMAIN, &["x", "weights"], &["out"])
            .with_string("activation", "LeakyRelu"),
        // The deviation is read.
        node(
            "SkipLayerNormalization",
            CONTRIB_DOMAIN,
            &["x", "x", "x"],
            &["out", "", "deviation"],
        ),
        node("Attention", "elsewhere", &["x", "weights"], &["out"]).with_int("num_heads", 2),
        node(
            "GroupQueryAttention",
            CONTRIB_DOMAIN,
            &["x", "x", "x"],
            &["out"],
        ),
    ] {
        let mut graph = call(composite);
        let before = operators(&graph).join(" ");
        assert!(!expand_composites(&mut graph), "{before}");
        assert_eq!(operators(&graph).join(" "), before);
    }
}

/// A graph of a `GroupQueryAttention` of `x`, whose inputs and attributes `edit`
/// changes. `last` has the last position of each text, `length` that of the
/// batch; `positions` are 0, 1 and so on.
fn group_query(edit: impl FnOnce(NodeProto) -> NodeProto) -> Graph {
    let inputs = ["x", "x", "x", "", "", "last", "length"];
    let node_of = |op: &str, inputs: &[&str], output: &str| node(op, "", inputs, &[output]);
    let attention = node("GroupQueryAttention", CONTRIB_DOMAIN, &inputs, &["out"])
        .with_int("num_heads", 2)
        .with_int("kv_num_heads", 2)
        .with_int("do_rotary", 1);
    let mut graph = call(edit(attention));
    let counts = [
        constant_node("one", &[1]),
        node_of("ReduceSum", &["attention_mask", "one"], "count"),
        node_of("Sub", &["count", "one"], "last"),
        node_of("Sub", &["last", "one"], "before"),
        node_of("Shape", &["attention_mask"], "shape"),
        node_of("Gather", &["shape", "one"], "length"),
        node_of("Sub", &["attention_mask", "attention_mask"], "zeros"),
        node_of("Add", &["zeros", "one"], "ones"),
        node_of("CumSum", &["ones", "one"], "from_1"),
        node_of("Sub", &["from_1", "one"], "positions"),
    ];
    graph.proto_mut().node.splice(2..2, counts);
    let tables = [("cos", 2), ("sin", 2), ("wide", 4), ("narrow", 1)];
    for (name, columns) in tables {
        graph.proto_mut().initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: vec![60, columns],
            data_type: Some(FLOAT),
            float_data: vec![0.5; 60 * columns as usize],
            ..TensorProto::default()
        });
    }
    graph.import(CONTRIB_DOMAIN, 1);
    graph
}

/// The inputs of a node, with others at these places.
fn given(mut node: NodeProto, others: &[(usize, &str)]) -> NodeProto {
    for &(at, name) in others {
        if node.input.len() <= at {
            node.input.resize(at + 1, String::new());
        }
        node.input[at] = name.to_owned();
    }
    node
}

/// A node with another number for an attribute.
fn with(mut node: NodeProto, name: &str, value: i64) -> NodeProto {
    (node.attribute).retain(|attribute| attribute.name.as_deref() != Some(name));
    node.with_int(name, value)
}

#[test]
fn group_query_attention_is_taken_apart() {
    let plain: &[(usize, &str)] = &[(7, "cos"), (8, "sin")];
    type Edit = fn(NodeProto) -> NodeProto;
    let edits: [Edit; 6] = [
        |node| node,
        |node| given(node, &[(9, "positions")]),
        |node| {
            node.with_int("rotary_interleaved", 1)
                .with_int("smooth_softmax", -1)
        },
        |node| {
            node.with_int("local_window_size", 2)
                .with_float("softcap", 1.5)
        },
        |node| {
            node.with_string("k_quant_type", "NONE")
                .with_float("scale", 0.3)
        },
        // One head of keys and values, beside two of queries.
        |node| {
            let packed = given(node, &[(1, ""), (2, ""), (7, "narrow"), (8, "narrow")]);
            with(packed, "kv_num_heads", 1)
        },
    ];
    for edit in edits {
        let mut graph = group_query(|node| edit(given(node, plain)));
        assert!(expand_composites(&mut graph));
        let found = operators(&graph);
        assert!(found.contains(&"Softmax"), "{found:?}");
        assert!(!found.contains(&"GroupQueryAttention"), "{found:?}");
    }
}

#[test]
fn other_forms_of_group_query_attention_are_kept() {
    let plain: &[(usize, &str)] = &[(7, "cos"), (8, "sin")];
    type Edit = fn(NodeProto) -> NodeProto;
    let edits: [Edit; 16] = [
        // Counts of other tokens, of none, and other lengths.
        |node| given(node, &[(5, "count")]),
        |node| given(node, &[(5, "before")]),
        |node| given(node, &[(5, "one")]),
        |node| given(node, &[(5, "")]),
        |node| given(node, &[(6, "one")]),
        |node| given(node, &[(6, "")]),
        // Other positions than those from 0 on.
        |node| given(node, &[(9, "from_1")]),
        // A past, sinks, and a bias of another shape.
        |node| given(node, &[(3, "x"), (4, "x")]),
        |node| given(node, &[(11, "cos")]),
        |node| given(node, &[(10, "x")]),
        // Tables that are wider than heads, and none.
        |node| given(node, &[(7, "wide"), (8, "wide")]),
        |node| given(node, &[(7, ""), (8, "")]),
        |node| node.with_int("smooth_softmax", 1),
        |node| node.with_int("local_window_size", 0),
        |node| node.with_string("v_quant_type", "PER_TENSOR"),
        |node| node.with_int("new_attribute", 1),
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        let mut graph = group_query(|node| edit(given(node, plain)));
        assert!(!expand_composites(&mut graph), "{at}");
    }
    // What the next call needs of this one.
    let read = |node: NodeProto| NodeProto {
        output: ["out", "keys", "values"].map(str::to_owned).to_vec(),
        ..given(node, plain)
    };
    assert!(!expand_composites(&mut group_query(read)));
}

#[test]
fn halves_are_kept() {
    // Their constants would have to be halves too.
    let mut graph = call(standard(&["half", "half", "half"], &["out"]));
    let cast = node("Cast", "", &["x"], &["half"]).with_int("to", 10);
    graph.proto_mut().node.insert(1, cast);
    assert!(!expand_composites(&mut graph));
}
