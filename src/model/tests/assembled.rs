//! Graphs from descriptions, and which weights are chosen.

use std::fs::File;

use multivec_graph::Graph;
use multivec_graph::safetensors::WeightIndex;

use super::{described, folder, read, root};
use crate::backend::Precision;
use crate::error::{Error, Result};
use crate::model::{
    ModelDescription, ModelFolder, ModelStore, WeightsFile, build_graph, complete_graph, describe,
    stored_precision, weight_files,
};

/// A fixture's files.
struct Fixture(&'static str);

impl ModelStore for Fixture {
    fn location(&self) -> String {
        self.0.to_owned()
    }

    fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Ok(read(self.0, path))
    }

    fn read_weights(&self, path: &str) -> Result<Vec<u8>> {
        self.read(path)
    }

    fn index(&self, path: &str, index: &mut WeightIndex) -> Result<()> {
        let file = File::open(root(self.0).join(path));
        let file = file.map_err(|source| Error::io(self.name(path), "reading", source))?;
        Ok(index.read_file(path, &file)?)
    }
}

const WEIGHTS: &str = "model.safetensors";
const DENSE: &str = "1_Dense/model.safetensors";

#[test]
fn graphs_name_the_files_of_their_weights() {
    for (name, expected, precision) in [
        ("hub/mv-pylate-bert", &[WEIGHTS, DENSE][..], Precision::Fp32),
        (
            "hub/mv-pylate-modernbert-f16",
            &[WEIGHTS, DENSE],
            Precision::Fp16,
        ),
        ("hub/mv-st-lfm2", &[WEIGHTS, DENSE], Precision::Fp32),
        ("hub/mv-stanford-bert", &[WEIGHTS], Precision::Fp32),
    ] {
        let description = described(name);
        let weights = &description.weights[0];
        let built = build_graph(&description, weights, &Fixture(name)).expect("a graph");
        assert_eq!(built.files, expected, "{name}");
        assert_eq!(built.config, read(name, "config.json"));
        let mut external: Vec<&str> = built.graph.external_files().into_iter().collect();
        external.sort_by_key(|file| *file != WEIGHTS);
        assert_eq!(external, expected, "{name}");
        assert_eq!(stored_precision(&built.graph, Precision::Fp32), precision);
        assert_eq!(
            stored_precision(&built.graph, Precision::Int8),
            Precision::Int8
        );
    }
}

#[test]
fn a_bare_graph_gets_the_modules_and_a_whole_one_keeps_its_output() {
    let name = "hub/mv-pylate-bert";
    let description = described(name);
    let store = Fixture(name);
    let bare = crate::model::ModelDescription {
        modules: Vec::new(),
        config: crate::ModelConfig {
            embedding_dim: None,
            ..description.config.clone()
        },
        ..description.clone()
    };
    let weights = &description.weights[0];
    let complete = |mut graph: Graph| {
        let completed = complete_graph(&description, &mut graph, "model.onnx", &store);
        completed.expect("a graph of the promised width")
    };
    let bare = build_graph(&bare, weights, &store).expect("a graph").graph;
    let completed = complete(bare);
    assert_eq!(
        (&*completed.files, completed.is_changed),
        (&[DENSE.to_owned()][..], true)
    );
    let whole = build_graph(&description, weights, &store).expect("a graph");
    let completed = complete(whole.graph);
    assert_eq!((&*completed.files, completed.is_changed), (&[][..], false));
}

#[test]
fn missing_files_are_named() {
    let name = "hub/mv-pylate-bert";
    let description = described(name);
    let other = WeightsFile::Safetensors("other.safetensors".to_owned());
    let error = build_graph(&description, &other, &Fixture(name)).expect_err("no such file");
    assert!(error.to_string().contains("other.safetensors"), "{error}");
    let index = WeightsFile::SafetensorsIndex("config.json".to_owned());
    let error = weight_files(&index, &Fixture(name)).expect_err("it is no index");
    assert_eq!(error.code(), "invalid_file");
}

#[test]
fn weights_are_chosen_by_precision() {
    let graphs = [
        "model_fp16.onnx",
        "model_q4.onnx",
        "model.onnx",
        "onnx/model_qint8_avx2.onnx",
        "onnx/model_int8.onnx",
        "model_quantized.onnx",
    ];
    let with_graphs =
        |folder: ModelFolder| graphs.iter().copied().fold(folder, ModelFolder::with_path);
    let description = describe(&with_graphs(folder("hub/mv-pylate-bert"))).expect("a model");
    let paths = |precision| {
        let found = description.weights_of(precision);
        found.into_iter().map(WeightsFile::path).collect::<Vec<_>>()
    };
    assert_eq!(
        paths(Precision::Int8),
        [
            "onnx/model_int8.onnx",
            "model_quantized.onnx",
            "onnx/model_qint8_avx2.onnx"
        ]
    );
    assert_eq!(
        paths(Precision::Fp32),
        [WEIGHTS, "model.onnx", "model_fp16.onnx"]
    );
    assert_eq!(paths(Precision::Int4), ["model_q4.onnx"]);
    assert_eq!(paths(Precision::Fp16), ["model_fp16.onnx"]);
}

#[test]
fn safetensors_are_quantized_at_load_where_no_graph_is_there() {
    let paths = |description: &ModelDescription, precision: Option<Precision>| {
        let found = description.weights_for(precision).into_iter();
        let found = found.map(|weights| {
            let quantized = weights.is_quantized_at_load(precision);
            format!("{} {quantized}", weights.path())
        });
        found.collect::<Vec<_>>()
    };
    let with = |names: &[&str]| {
        let names = names.iter().copied();
        let folder = names.fold(folder("hub/mv-pylate-bert"), ModelFolder::with_path);
        describe(&folder).expect("a model")
    };
    let bare = with(&[]);
    for (precision, expected) in [
        (None, "model.safetensors true"),
        (Some(Precision::Int8), "model.safetensors true"),
        (Some(Precision::Fp32), "model.safetensors false"),
        (Some(Precision::Fp16), "model.safetensors false"),
        (Some(Precision::Bf16), "model.safetensors false"),
    ] {
        assert_eq!(paths(&bare, precision), [expected]);
    }
    assert!(paths(&bare, Some(Precision::Int4)).is_empty());

    let graphs = with(&["model.onnx", "model_fp16.onnx", "onnx/model_int8.onnx"]);
    assert_eq!(
        paths(&graphs, None),
        [
            "onnx/model_int8.onnx false",
            "model.safetensors true",
            "model.onnx false",
            "model_fp16.onnx false"
        ]
    );
    assert_eq!(
        paths(&graphs, Some(Precision::Int8)),
        ["onnx/model_int8.onnx false", "model.safetensors true"]
    );
    assert_eq!(
        paths(&graphs, Some(Precision::Fp16)),
        [
            "model_fp16.onnx false",
            "model.safetensors false",
            "model.onnx false"
        ]
    );
}

#[test]
fn a_graph_comes_before_weights_of_a_family_that_is_not_implemented() {
    let name = "hub/mv-pylate-bert";
    let config = String::from_utf8(read(name, "config.json")).expect("text");
    let config = config.replace(r#""model_type": "bert""#, r#""model_type": "rwkv""#);
    let folder = folder(name)
        .with_file("config.json", config)
        .with_path("onnx/model.onnx");
    let description = describe(&folder).expect("a model");
    let found = description.weights_of(Precision::Fp32);
    assert_eq!(found[0].path(), "onnx/model.onnx");
    assert_eq!(found[1].path(), WEIGHTS);
}
