use super::super::types::declare_sizes;
use super::super::{Promise, adapt_interface};
use super::*;
use crate::node::node as node_of;
use crate::onnx::{AttributeProto, GraphProto, INT64, TensorProto};
use crate::operators::CONTRIB_DOMAIN;
use crate::testing::{graph, node, operators};
use crate::trace::{Tensor, Trace};

const KEY: &str = "past_key_values.0.key";
const VALUE: &str = "past_key_values.0.value";
const SIZES: [Option<i64>; 4] = [None, Some(1), None, Some(4)];

/// A graph with `heads`, `[batch, 1, length, 4]`, these nodes, and two pasts.
fn with_past(nodes: Vec<NodeProto>, outputs: &[&str]) -> Graph {
    let mut all = vec![
        node("Gather", &["table", "input_ids"], "states"),
        node("Unsqueeze", &["states"], "heads").with_ints("axes", &[1]),
    ];
    all.extend(nodes);
    let outputs = [&["states"], outputs].concat();
    let mut graph = graph(&["input_ids", "attention_mask"], all, &outputs);
    let proto = graph.proto_mut();
    proto.initializer.push(TensorProto {
        name: Some("table".to_owned()),
        dims: vec![7, 4],
        data_type: Some(FLOAT),
        float_data: vec![0.5; 28],
        ..TensorProto::default()
    });
    for input in [KEY, VALUE] {
        proto.input.push(declare_sizes(input, FLOAT, &SIZES));
    }
    graph
}

/// What a value of the graph is in a batch of 2 texts of 3 tokens.
fn traced(graph: &Graph, value: &str) -> Option<Tensor> {
    let index = ValueIndex::new(graph);
    Trace::unpadded(&index, 2, 3).get(value).cloned()
}

#[test]
fn new_keys_are_all_keys() {
    let shape = |start: i64, end: i64, output: &str| {
        node("Shape", &[KEY], output)
            .with_int("start", start)
            .with_int("end", end)
    };
    let mut original = with_past(
        vec![
            node("Concat", &[KEY], "alone").with_int("axis", -2),
            node("Concat", &["alone", "heads"], "present").with_int("axis", 2),
            node("Cast", &[VALUE], "value").with_int("to", FLOAT.into()),
            node("Transpose", &["value"], "turned").with_ints("perm", &[0, 1, 3, 2]),
            node("Transpose", &["heads"], "columns").with_ints("perm", &[0, 1, 3, 2]),
            node("Concat", &["turned", "columns"], "values").with_int("axis", 3),
            shape(2, 3, "past"),
            shape(0, -2, "others"),
            node("Shape", &["turned"], "sizes"),
        ],
        &["present", "values", "past", "others", "sizes"],
    );
    // More than keys and values of each token is kept here.
    original = without_past(&original).expect("there is a past");
    let inputs: Vec<&str> = original.free_inputs().collect();
    assert_eq!(inputs, ["input_ids", "attention_mask"]);
    assert!(!operators(&original).contains(&"ConstantOfShape"));
    for (value, shape) in [("present", [2, 1, 3, 4]), ("values", [2, 1, 4, 3])] {
        let found = traced(&original, value).expect("it is traced");
        assert_eq!(found.shape(), shape, "{value}");
    }
    for (value, expected) in [
        ("past", vec![0]),
        ("others", vec![2, 1]),
        ("sizes", vec![2, 1, 4, 0]),
    ] {
        let found = traced(&original, value).and_then(|value| value.ints());
        assert_eq!(found, Some(expected), "{value}");
    }
}

#[test]
fn operators_are_given_no_past() {
    let operator = |name: &str, domain: &str, inputs: &[&str]| {
        let inputs = [inputs, &[KEY, VALUE]].concat();
        node_of(name, domain, &inputs, &["states_of", "keys", "values"])
    };
    let rows = ["states"; 3];
    for (attention, inputs, outputs) in [
        (
            operator("Attention", "", &[&rows[..], &["mask"]].concat()),
            4,
            1,
        ),
        (
            operator("Attention", "", &[&rows[..], &[""]].concat()),
            3,
            1,
        ),
        (
            operator(
                "MultiHeadAttention",
                CONTRIB_DOMAIN,
                &[&rows[..], &["", "mask", ""]].concat(),
            ),
            5,
            1,
        ),
        // Of this one, all outputs are required.
        (operator("GroupQueryAttention", CONTRIB_DOMAIN, &rows), 3, 3),
    ] {
        let name = attention.operator();
        let mut nodes = vec![attention];
        nodes.push(node("Add", &["states", "states_of"], "sum"));
        let mut graph = with_past(nodes, &["keys", "values"]);
        let outputs_of = &mut graph.proto_mut().output;
        outputs_of[0].name = Some("sum".to_owned());
        let promise = Promise {
            names: &["sum"],
            ..Promise::default()
        };
        for output in &mut graph.proto_mut().output {
            let sizes = match output.name.as_deref() {
                Some("sum") => &[None, None, Some(4)][..],
                _ => &SIZES[..],
            };
            *output = declare_sizes(output.name.as_deref().unwrap_or_default(), FLOAT, sizes);
        }
        let interface = adapt_interface(&mut graph, "f", promise).expect("it is adapted");
        assert!(interface.is_changed, "{name}");
        let attention = (graph.nodes().iter()).find(|node| node.operator() == name);
        let attention = attention.expect("it is there");
        assert_eq!(attention.input.len(), inputs, "{name}");
        assert_eq!(attention.output.len(), outputs, "{name}");
        assert!(
            !attention
                .input
                .iter()
                .any(|name| [KEY, VALUE].contains(&name.as_str()))
        );
        assert_eq!(operators(&graph).len(), 3, "{name}");
    }
}

#[test]
fn other_readers_are_given_an_empty_past() {
    let original = with_past(
        vec![
            node("Mul", &[KEY, KEY], "squares"),
            node("Concat", &[VALUE, "heads"], "wide").with_int("axis", 3),
        ],
        &["squares", "wide"],
    );
    let found = without_past(&original).expect("there is a past");
    let squares = traced(&found, "squares").expect("it is traced");
    assert_eq!(squares.shape(), [2, 1, 0, 4]);
    // Along another axis, the new ones are not all.
    let concat = found
        .nodes()
        .iter()
        .find(|node| node.is("Concat") && node.output[0] == "wide");
    assert_eq!(concat.expect("it is there").input, [VALUE, "heads"]);
}

#[test]
fn other_inputs_are_kept() {
    for (name, element, sizes) in [
        ("past_key_values.0.key", INT64, &SIZES[..]),
        ("past_key_values.0.key", FLOAT, &SIZES[1..]),
        ("past_key_values.0.key", FLOAT, &[None, None, None, Some(4)]),
        (
            "past_key_values.0.key",
            FLOAT,
            &[None, Some(1), Some(8), Some(4)],
        ),
        (
            "past_key_values.0.key",
            FLOAT,
            &[Some(1), Some(1), None, Some(4)],
        ),
        ("past_conv.0", FLOAT, &SIZES),
        ("encoder_key", FLOAT, &SIZES),
    ] {
        let mut original = with_past(vec![node("Identity", &[KEY], "read")], &["read"]);
        let inputs = &mut original.proto_mut().input;
        inputs.truncate(2);
        inputs.push(declare_sizes(name, element, sizes));
        assert_eq!(without_past(&original), None, "{name} {sizes:?}");
    }
}

#[test]
fn graphs_with_control_flow_keep_their_inputs() {
    let mut branch = node("If", &["use_cache_branch"], "read");
    branch.attribute.push(AttributeProto {
        name: Some("then_branch".to_owned()),
        g: Some(GraphProto::default()),
        ..AttributeProto::default()
    });
    let mut original = with_past(vec![branch], &[]);
    let before = original.clone();
    let interface = adapt_interface(&mut original, "f", Promise::default()).expect("it fits");
    assert!(!interface.is_changed);
    assert_eq!(original, before);
}

#[test]
fn nothing_is_changed_if_outputs_are_others() {
    let concat = node("Concat", &[KEY, "heads"], "present").with_int("axis", 2);
    let mut original = with_past(vec![concat], &["present"]);
    let before = original.clone();
    let promise = Promise {
        width: Some(5),
        ..Promise::default()
    };
    adapt_interface(&mut original, "f", promise).expect_err("no output of that width");
    assert_eq!(original, before);
}
