//! Memory that loading takes, with and without what was kept of a first time.

use std::fs;
use std::path::Path;

use multivec_graph::Graph;
use multivec_graph::onnx::{FLOAT, NodeProto, TensorProto};

use super::floats::in_floats;
use super::{MEGABYTE, peak_with};

/// A document as long as the longest that graphs are compared on, and a short
/// one.
const WORDS: usize = 180;
/// Rows of the demo model's table.
const TOKENS: i64 = 30_524;

/// Peaks of runs that load a model and encode a text or two, in bytes.
#[derive(Debug)]
struct Peaks {
    file: usize,
    /// A model without weights worth mentioning, a short text.
    base: usize,
    /// The published graph, on what the two forms are compared on.
    published: usize,
    /// The fused graph, the first time, on the same.
    first: usize,
    /// The fused graph from then on, the short text.
    cached: usize,
}

impl Peaks {
    fn of(demo: &Path, (name, model): (&str, &[u8]), engine: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = folder.path().join("cache");
        let long = "word ".repeat(WORDS) + "\nword\n";
        let write = |sub: &str, model: &[u8]| {
            let root = folder.path().join(sub);
            fs::create_dir(&root).expect("a folder");
            for file in ["onnx_config.json", "tokenizer.json"] {
                fs::copy(demo.join(file), root.join(file)).expect("it can be copied");
            }
            fs::write(root.join(name), model).expect("it can be written");
            root.display().to_string()
        };
        let (model_root, base_root) = (
            write("model", model),
            write("base", &without_weights(model)),
        );
        let run = |root: &str, texts: &str, more: &[&str]| {
            let arguments = [&["--engine", engine, "--model", root], more].concat();
            peak_with(texts, &arguments, &cache)
        };
        let peaks = Self {
            file: model.len(),
            base: run(&base_root, "word\n", &["--no-optimize"]),
            published: run(&model_root, &long, &["--no-optimize"]),
            first: run(&model_root, &long, &[]),
            cached: run(&model_root, "word\n", &[]),
        };
        let megabytes = [peaks.base, peaks.published, peaks.first, peaks.cached];
        println!(
            "{engine}, {name} of {} MB: base, published, first, cached: {:?} MB",
            peaks.file / MEGABYTE,
            megabytes.map(|bytes| bytes / MEGABYTE)
        );
        peaks
    }

    /// 1.3 times the file, and a little for what allocators keep.
    fn allowed(&self) -> usize {
        self.file * 13 / 10 + 2 * MEGABYTE
    }

    /// What is beyond the engine with no weights at all.
    fn check_cached(&self) {
        assert!(self.cached < self.base + self.allowed(), "{self:?}");
    }

    /// The published graph runs first, so that what the engine takes for it
    /// comes on top.
    fn check_first(&self) {
        assert!(self.first < self.published + self.allowed(), "{self:?}");
    }
}

/// A model of the same inputs and output that has hardly any weights.
fn without_weights(model: &[u8]) -> Vec<u8> {
    let mut graph = Graph::parse("model", model.to_vec().into()).expect("a model");
    let output = graph.outputs().next().expect("an output").to_owned();
    let node = |operator: &str, inputs: [&str; 2], output: &str| NodeProto {
        op_type: Some(operator.to_owned()),
        input: inputs.map(str::to_owned).to_vec(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let tensor = |name: &str, dims: [i64; 2]| TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(FLOAT),
        float_data: vec![0.5; (dims[0] * dims[1]) as usize],
        ..TensorProto::default()
    };
    let proto = graph.proto_mut();
    proto.node = vec![
        node("Gather", ["table", "input_ids"], "rows"),
        node("MatMul", ["rows", "columns"], &output),
    ];
    proto.initializer = vec![tensor("table", [TOKENS, 1]), tensor("columns", [1, 128])];
    proto.value_info.clear();
    graph.into_bytes()
}

/// The demo model, with more rows in its table of tokens, so that weights
/// outweigh what else there is.
fn demo() -> (&'static Path, Vec<u8>) {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/minilm-colbert"
    ));
    let model = fs::read(folder.join("model_int8.onnx")).expect("it is there");
    let mut graph = Graph::parse("model", model.into()).expect("a model");
    for tensor in &mut graph.proto_mut().initializer {
        if tensor.dims.first() == Some(&TOKENS) {
            tensor.dims[0] = 4 * TOKENS;
            let bytes = tensor.raw_data.take().expect("bytes");
            tensor.raw_data = Some(bytes.repeat(4).into());
        }
    }
    let model = graph.into_bytes();
    assert!(model.len() > 50 * MEGABYTE);
    (folder, model)
}

#[test]
fn of_a_model_in_8_bits_in_onnxruntime() {
    let (demo, model) = demo();
    let peaks = Peaks::of(demo, ("model_int8.onnx", &model), "onnxruntime");
    peaks.check_cached();
    peaks.check_first();
}

/// ONNX Runtime packs the weights of products of floats for itself, beside
/// those that all of its sessions read: that is what it takes itself.
#[test]
fn of_a_model_in_floats_in_onnxruntime() {
    let (demo, model) = demo();
    let model = in_floats(model);
    let peaks = Peaks::of(demo, ("model.onnx", &model), "onnxruntime");
    assert!(peaks.cached < peaks.published, "{peaks:?}");
    let packed = products(&model);
    assert!(
        peaks.cached < peaks.base + peaks.allowed() + packed,
        "{packed} {peaks:?}"
    );
    peaks.check_first();
}

/// Bytes of the matrices that rows are multiplied by.
fn products(model: &[u8]) -> usize {
    let graph = Graph::parse("model", model.to_vec().into()).expect("a model");
    let products = graph.nodes().iter().filter(|node| node.is("MatMul"));
    let matrices = products.filter_map(|node| graph.initializer(&node.input[1]));
    let bytes = matrices.filter_map(|tensor| tensor.raw_data.as_ref());
    bytes.map(|bytes| bytes.len()).sum()
}

#[test]
fn of_models_in_tract() {
    let (demo, model) = demo();
    for (name, model) in [
        ("model_int8.onnx", model.clone()),
        ("model.onnx", in_floats(model)),
    ] {
        let peaks = Peaks::of(demo, (name, &model), "tract");
        peaks.check_cached();
        peaks.check_first();
    }
}
