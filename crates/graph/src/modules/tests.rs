use std::io::Cursor;

use super::*;
use crate::error::Error;
use crate::external::ExternalLocation;
use crate::fuse;
use crate::safetensors::WeightIndex;
use crate::safetensors::sample::weight_index;
use crate::testing::{fixture, fixture_bytes, graph, node, operators};

const GRAPH: &str = "model.onnx";

/// Weights beside a layer's configuration.
fn weights(tensors: &[(&str, &[usize])]) -> WeightIndex {
    let owned = |&(name, shape): &(&str, &[usize])| (name.to_owned(), shape.to_vec());
    let tensors: Vec<_> = tensors.iter().map(owned).collect();
    weight_index("1_Dense/model.safetensors", &tensors)
}

fn config(activation: &str, rest: &str) -> String {
    format!(
        r#"{{"in_features":4,"out_features":2,"bias":true,
            "activation_function":"torch.nn.modules.{activation}"{rest}}}"#
    )
}

fn dense(config: &str) -> Result<Dense> {
    let all: [(&str, &[usize]); 3] = [
        ("linear.weight", &[2, 4]),
        ("linear.bias", &[2]),
        ("residual.weight", &[2, 4]),
    ];
    Dense::from_config("1_Dense/config.json", config.as_bytes(), &weights(&all))
}

/// A graph that returns rows and something else.
fn encoder() -> Graph {
    let nodes = vec![node("Relu", &["rows"], "states")];
    graph(&["rows"], nodes, &["states", "rows"])
}

#[test]
fn a_layer_is_appended() {
    let dense = dense(&config("activation.Tanh", r#","use_residual":true"#));
    let dense = dense.expect("a known layer");
    assert_eq!((dense.inner(), dense.outer()), (4, 2));
    let mut graph = encoder();
    let output = dense
        .append_to(&mut graph, GRAPH, "states")
        .expect("output");
    assert_eq!(graph.outputs().collect::<Vec<_>>(), [output.as_str()]);
    let expected = [
        "Relu",
        "Transpose",
        "MatMul",
        "Add",
        "Tanh",
        "Transpose",
        "MatMul",
        "Add",
    ];
    assert_eq!(operators(&graph), expected);
    let tensor = graph.initializer("1_Dense.linear.weight");
    let place = ExternalLocation::of(tensor.expect("weights")).expect("a place");
    assert_eq!(place.file, "1_Dense/model.safetensors");
    assert_eq!((place.offset > 8, place.length), (true, Some(32)));
}

#[test]
fn published_layers_follow_exported_and_written_graphs() {
    let folder = "tests/fixtures/hub/mv-pylate-bert/1_Dense";
    let mut weights = WeightIndex::new();
    let file = Cursor::new(fixture_bytes(&format!("{folder}/model.safetensors")));
    let read = weights.read_file("1_Dense/model.safetensors", file);
    read.expect("a safetensors file");
    let config = fixture_bytes(&format!("{folder}/config.json"));
    let dense = Dense::from_config("config.json", &config, &weights).expect("a layer");
    assert_eq!((dense.inner(), dense.outer()), (64, 32));

    let file = "tests/fixtures/failing/01-bare-onnx-beside-dense/onnx/model.onnx";
    let mut graph = fixture(file);
    let output = graph.outputs().next().expect("an output").to_owned();
    let before = fuse(&mut graph.clone());
    let output = dense
        .append_to(&mut graph, file, &output)
        .expect("appended");
    let output = append_normalization(&mut graph, file, &output).expect("appended");
    assert_eq!(graph.outputs().collect::<Vec<_>>(), [output.as_str()]);
    let after = fuse(&mut graph);
    assert_eq!(after.linears, before.linears + 1);
    assert_eq!((before.l2_normalizations, after.l2_normalizations), (0, 1));
}

#[test]
fn stanfords_layer_is_found() {
    let index = weights(&[("linear.weight", &[3, 5]), ("bert.x", &[1])]);
    let dense = Dense::from_model(&index).expect("valid").expect("a layer");
    assert_eq!((dense.inner(), dense.outer()), (5, 3));
    let none = Dense::from_model(&weights(&[("bert.x", &[1])]));
    assert!(none.expect("valid").is_none());
    let odd = Dense::from_model(&weights(&[("linear.weight", &[3])]));
    assert_eq!(odd.expect_err("no matrix").code(), "model_mismatch");
}

#[test]
fn other_layers_are_refused() {
    for (config, expected) in [
        (config("activation.Mish", ""), "Mish"),
        (
            config(
                "linear.Identity",
                r#","module_input_name":"sentence_embedding""#,
            ),
            "sentence_embedding",
        ),
        (config("linear.Identity", "").replace(":4", ":5"), "[2, 5]"),
        (
            config("linear.Identity", "").replace("torch.", "mine."),
            "mine.nn",
        ),
        ("{}".to_owned(), "in_features"),
    ] {
        let message = dense(&config).expect_err("not a known layer").to_string();
        assert!(message.contains(expected), "{message}");
    }
    let config = config("linear.Identity", "");
    let index = weights(&[("linear.weight", &[2, 4])]);
    let error = Dense::from_config("config.json", config.as_bytes(), &index);
    let error = error.expect_err("a bias is promised").to_string();
    assert!(error.contains("`linear.bias`"), "{error}");
}

#[test]
fn the_output_has_to_exist() {
    let mut graph = encoder();
    let error = append_normalization(&mut graph, GRAPH, "nothing");
    let Err(Error::ModelMismatch { found, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(found, "states, rows");
    assert_eq!(graph, encoder());
}
