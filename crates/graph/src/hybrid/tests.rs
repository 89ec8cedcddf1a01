use super::*;
use crate::onnx::{FLOAT, TensorProto};
use crate::testing::{self, fixture, node};

const INPUTS: [&str; 2] = ["input_ids", "attention_mask"];

/// A graph with these outputs: `text` of 4 columns, `weights` and `flat` of
/// tokens, `words` of the vocabulary, `tokens` of 6 columns, `rest` without the
/// first.
fn graph(outputs: &[&str]) -> Graph {
    let range = |name: &str, values: [i64; 1]| testing::integers(name, &values);
    let nodes = vec![
        range("zero", [0]),
        range("one", [1]),
        range("end", [i64::MAX]),
        node("Gather", &["table", "input_ids"], "states"),
        node("Gather", &["wide", "input_ids"], "tokens"),
        node("Gather", &["thin", "input_ids"], "weights"),
        node("Slice", &["tokens", "one", "end", "one"], "rest"),
        node("ReduceMean", &["states"], "text")
            .with_ints("axes", &[1])
            .with_int("keepdims", 0),
        node("ReduceMax", &["weights"], "flat")
            .with_ints("axes", &[2])
            .with_int("keepdims", 0),
        node("MatMul", &["text", "vocabulary"], "words"),
    ];
    let mut graph = testing::graph(&INPUTS, nodes, outputs);
    for (name, dims) in [
        ("table", [7, 4]),
        ("wide", [7, 6]),
        ("thin", [7, 1]),
        ("vocabulary", [4, 7]),
    ] {
        graph.proto_mut().initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: dims.to_vec(),
            data_type: Some(FLOAT),
            float_data: (0..dims[0] * dims[1]).map(|at| at as f32).collect(),
            ..TensorProto::default()
        });
    }
    graph
}

fn shape(graph: &Graph) -> Vec<usize> {
    let index = ValueIndex::new(graph);
    let trace = Trace::unpadded(&index, 3, 5);
    let outputs: Vec<&str> = graph.outputs().collect();
    let [only] = outputs[..] else {
        panic!("{outputs:?}");
    };
    trace.shape(only).expect("it is traced").to_vec()
}

#[test]
fn outputs_are_told_apart_by_their_shapes() {
    for outputs in [
        ["text", "weights", "tokens"],
        ["rest", "flat", "text"],
        ["words", "rest", "text"],
    ] {
        let original = graph(&outputs);
        let found = HybridOutputs::find(&original, Some(4)).expect("all three are there");
        assert_eq!((found.text_width, found.token_width), (4, 6));
        for (part, expected) in [
            (HybridPart::Text, [3, 1, 4]),
            (HybridPart::Weights, [3, 5, 1]),
            (HybridPart::Tokens, [3, 5, 6]),
            (HybridPart::All, [3, 5, 7]),
        ] {
            let mut kept = original.clone();
            keep_hybrid_part(&mut kept, &found, part);
            assert_eq!(shape(&kept), expected, "{outputs:?} {part:?}");
        }
    }
}

#[test]
fn other_outputs_are_left_alone() {
    for outputs in [
        &["text", "weights"][..],
        // Of which the vectors are is open.
        &["text", "weights", "tokens", "rest"],
        &["text", "weights", "flat", "tokens"],
        // States and their mean.
        &["states", "text", "tokens"],
    ] {
        assert_eq!(
            HybridOutputs::find(&graph(outputs), Some(4)),
            None,
            "{outputs:?}"
        );
    }
    let named = graph(&["text", "weights", "tokens"]);
    assert_eq!(HybridOutputs::find(&named, Some(8)), None);
    let mut states = named;
    for name in states.proto_mut().output.iter_mut().chain([]) {
        if name.name.as_deref() == Some("tokens") {
            name.name = Some("last_hidden_state".to_owned());
        }
    }
    assert_eq!(HybridOutputs::find(&states, Some(4)), None);
    let bare = fixture("tests/fixtures/failing/03-first-of-two-outputs/model.onnx");
    assert_eq!(HybridOutputs::find(&bare, None), None);
}
