use super::expand_composites;
use crate::graph::Graph;
use crate::node::node;
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

#[test]
fn halves_are_kept() {
    // Their constants would have to be halves too.
    let mut graph = call(standard(&["half", "half", "half"], &["out"]));
    let cast = node("Cast", "", &["x"], &["half"]).with_int("to", 10);
    graph.proto_mut().node.insert(1, cast);
    assert!(!expand_composites(&mut graph));
}
