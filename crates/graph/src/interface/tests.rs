use super::types::{Declared, set_element};
use super::*;
use crate::error::Error;
use crate::onnx::{FLOAT, FLOAT16, INT32, INT64, NodeProto, TensorProto};
use crate::testing::{self, node, operators};

const MASK: &str = "attention_mask";

/// A graph whose inputs and outputs have these elements.
fn graph(inputs: &[(&str, i32)], nodes: Vec<NodeProto>, outputs: &[(&str, i32)]) -> Graph {
    let names =
        |values: &[(&'static str, i32)]| values.iter().map(|value| value.0).collect::<Vec<_>>();
    let as_static = |values: &[(&str, i32)]| -> Vec<(&'static str, i32)> {
        values
            .iter()
            .map(|&(name, element)| (&*name.to_owned().leak(), element))
            .collect()
    };
    let (inputs, outputs) = (as_static(inputs), as_static(outputs));
    let mut graph = testing::graph(&names(&inputs), nodes, &names(&outputs));
    let proto = graph.proto_mut();
    let declared = proto.input.iter_mut().chain(&mut proto.output);
    for (value, (_, element)) in declared.zip(inputs.iter().chain(&outputs)) {
        set_element(value, *element);
    }
    for (name, columns) in [("table", 4), ("wide", 8), ("places", 4)] {
        proto.initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: vec![7, columns],
            data_type: Some(FLOAT),
            float_data: vec![0.5; 7 * columns as usize],
            ..TensorProto::default()
        });
    }
    graph
}

fn lookups() -> Vec<NodeProto> {
    vec![
        node("Gather", &["table", "input_ids"], "rows"),
        node("Gather", &["wide", "input_ids"], "wide_rows"),
        node("ReduceMean", &["rows"], "mean"),
    ]
}

#[test]
fn other_types_of_inputs_are_cast() {
    let inputs = [("input_ids", INT32), (MASK, INT64)];
    let mut graph = graph(&inputs, lookups(), &[("rows", FLOAT)]);
    let interface = adapt_interface(&mut graph, "f", Promise::default()).expect("it is adapted");
    assert!(interface.is_changed);
    assert_eq!(operators(&graph)[..2], ["Cast", "Gather"]);
    assert_eq!(graph.nodes()[0].int("to", 0), i64::from(INT32));
    assert_eq!(graph.nodes()[1].input[1], graph.nodes()[0].output[0]);
    let declared = graph
        .proto()
        .input
        .iter()
        .map(|input| Declared::of(input).expect("a type").element);
    assert_eq!(declared.collect::<Vec<_>>(), [INT64, INT64]);
}

#[test]
fn positions_are_counted_within_the_graph() {
    let inputs = [("input_ids", INT64), (MASK, INT64), ("position_ids", INT64)];
    let nodes = vec![
        node("Gather", &["table", "input_ids"], "rows"),
        node("Gather", &["places", "position_ids"], "placed"),
        node("Add", &["rows", "placed"], "sum"),
    ];
    let mut graph = graph(&inputs, nodes, &[("sum", FLOAT)]);
    let interface = adapt_interface(&mut graph, "f", Promise::default()).expect("it is adapted");
    assert_eq!(interface.width, Some(4));
    assert_eq!(graph.free_inputs().collect::<Vec<_>>(), ["input_ids", MASK]);
    let index = crate::index::ValueIndex::new(&graph);
    let trace = crate::trace::Trace::unpadded(&index, 2, 3);
    let positions = trace
        .get("position_ids")
        .and_then(crate::trace::Tensor::ints);
    assert_eq!(positions, Some(vec![0, 1, 2, 0, 1, 2]));
}

#[test]
fn the_output_of_the_promised_width_is_kept() {
    let outputs = [("rows", FLOAT), ("wide_rows", FLOAT), ("mean", FLOAT)];
    let inputs = [("input_ids", INT64), (MASK, INT64)];
    let original = graph(&inputs, lookups(), &outputs);
    for (width, name) in [(4, "rows"), (8, "wide_rows")] {
        let mut graph = original.clone();
        let promise = Promise {
            width: Some(width),
            ..Promise::default()
        };
        let interface = adapt_interface(&mut graph, "f", promise).expect("one fits");
        assert_eq!(interface.output, name);
        assert_eq!(interface.width, Some(width));
        assert_eq!(interface.removed_outputs.len(), 2);
        assert_eq!(graph.outputs().collect::<Vec<_>>(), [name]);
        assert_eq!(operators(&graph), ["Gather"]);
    }
    let promise = Promise {
        width: None,
        names: &["other", "wide_rows"],
        ..Promise::default()
    };
    let interface = adapt_interface(&mut original.clone(), "f", promise).expect("one is named");
    assert_eq!(interface.output, "wide_rows");
}

#[test]
fn outputs_that_break_the_promise_are_listed() {
    let outputs = [("rows", FLOAT), ("wide_rows", FLOAT), ("mean", FLOAT)];
    let inputs = [("input_ids", INT64), (MASK, INT64)];
    let original = graph(&inputs, lookups(), &outputs);
    for width in [None, Some(5)] {
        let promise = Promise {
            width,
            ..Promise::default()
        };
        let error = adapt_interface(&mut original.clone(), "f", promise).expect_err("none fits");
        assert!(matches!(error, Error::ModelMismatch { .. }));
        let message = error.to_string();
        for part in [
            "`rows` [batch, length, 4] of float32",
            "`wide_rows` [batch, length, 8]",
            "`mean`",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn half_precision_is_widened() {
    let inputs = [("input_ids", INT64), (MASK, INT64)];
    let mut graph = graph(&inputs, lookups(), &[("rows", FLOAT16), ("mean", FLOAT16)]);
    let interface = adapt_interface(&mut graph, "f", Promise::default()).expect("it is adapted");
    assert_eq!(
        graph.outputs().collect::<Vec<_>>(),
        [interface.output.as_str()]
    );
    assert_eq!(operators(&graph), ["Gather", "Cast"]);
    let declared = Declared::of(&graph.proto().output[0]).expect("a type");
    assert_eq!(declared.element, FLOAT);
}

#[test]
fn an_encoder_as_it_should_be_is_left_alone() {
    let inputs = [("input_ids", INT64), (MASK, INT64)];
    let mut graph = graph(&inputs, lookups(), &[("rows", FLOAT)]);
    let original = graph.clone();
    let interface = adapt_interface(&mut graph, "f", Promise::default()).expect("it fits");
    assert!(!interface.is_changed);
    assert_eq!(graph, original);
}

#[test]
fn rows_of_texts_get_an_axis() {
    let inputs = [("input_ids", INT64), (MASK, INT64)];
    let mut nodes = lookups();
    nodes[2] = node("ReduceMean", &["rows"], "mean")
        .with_ints("axes", &[1])
        .with_int("keepdims", 0);
    nodes.push(
        node("ReduceMean", &["wide_rows"], "kept")
            .with_ints("axes", &[1])
            .with_int("keepdims", 1),
    );
    let text = Promise {
        form: Form::Text,
        ..Promise::default()
    };
    // Tokens are not rows of a text.
    let outputs = [("rows", FLOAT), ("mean", FLOAT)];
    let mut adapted = graph(&inputs, nodes.clone(), &outputs);
    let interface = adapt_interface(&mut adapted, "f", text).expect("one fits");
    assert_eq!((interface.width, interface.is_changed), (Some(4), true));
    let outputs: Vec<&str> = adapted.outputs().collect();
    assert_eq!(outputs, [interface.output.as_str()]);
    assert_eq!(operators(&adapted), ["Gather", "ReduceMean", "Unsqueeze"]);
    let index = crate::index::ValueIndex::new(&adapted);
    let trace = crate::trace::Trace::unpadded(&index, 2, 3);
    assert_eq!(trace.shape(&interface.output), Some(&[2, 1, 4][..]));

    // One that has the axis stays as it is.
    let mut kept = graph(&inputs, nodes.clone(), &[("kept", FLOAT)]);
    let interface = adapt_interface(&mut kept, "f", text).expect("it fits");
    assert_eq!(
        (interface.output.as_str(), interface.width),
        ("kept", Some(8))
    );
    assert!(!interface.is_changed);

    // Names decide among several.
    let outputs = [("mean", FLOAT), ("kept", FLOAT)];
    let several = graph(&inputs, nodes, &outputs);
    let error = adapt_interface(&mut several.clone(), "f", text).expect_err("two fit");
    assert!(error.to_string().contains("one of [batch, dim]"), "{error}");
    let names = &["kept"];
    let named = adapt_interface(&mut several.clone(), "f", Promise { names, ..text });
    assert_eq!(named.expect("one is named").output, "kept");
    // And they are no tokens.
    adapt_interface(&mut several.clone(), "f", Promise::default()).expect_err("none fits");
}
