//! Memory of loading, for the first time and from the cache.

use std::fmt;
use std::fs;
use std::path::Path;

use multivec_graph::Graph;
use multivec_graph::onnx::{FLOAT, NodeProto, TensorProto};

use multivec_testing::MINILM;
use multivec_testing::demo::{self, Files};
use multivec_testing::floats::in_floats;

use super::{MEGABYTE, peak_with};

/// Words of a document as long as the longest on which fused graphs are checked.
const WORDS: usize = 180;
/// Rows of the demo model's embedding table.
const TOKENS: i64 = 30_524;

/// A model file.
#[derive(Clone, Copy)]
struct Model<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

impl<'a> Model<'a> {
    fn new(name: &'a str, bytes: &'a [u8]) -> Self {
        Self { name, bytes }
    }
}

/// Peaks of runs that load a model and encode one or two texts, in bytes.
#[derive(Debug)]
struct Peaks {
    file: usize,
    /// A model with almost no weights, a short text.
    base: usize,
    /// The original graph, a long text and a short one.
    original: usize,
    /// The fused graph when it is made, on the same texts.
    first: usize,
    /// The fused graph from the cache, a short text.
    cached: usize,
}

impl Peaks {
    fn of(demo: &Path, model: Model<'_>, engine: &str) -> Self {
        let Model { name, bytes: model } = model;
        let read = |file: &str| {
            let content = fs::read(demo.join(file)).expect("it can be read");
            (file.to_owned(), content)
        };
        let mut files = Files::from(["onnx_config.json", "tokenizer.json"].map(read));
        let mut base = files.clone();
        base.insert(name.to_owned(), without_weights(model));
        files.insert(name.to_owned(), model.to_vec());
        let peaks = Self::of_files(&files, &base, engine);
        println!("{engine}, {name}: {peaks}");
        peaks
    }

    /// Of a model directory and of one with almost no weights.
    fn of_files(files: &Files, base: &Files, engine: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = folder.path().join("cache");
        let long = "word ".repeat(WORDS) + "\nword\n";
        let write = |sub: &str, files: &Files| {
            let root = folder.path().join(sub);
            for (path, content) in files {
                let path = root.join(path);
                let parent = path.parent().expect("a folder");
                fs::create_dir_all(parent).expect("a folder");
                fs::write(path, content).expect("it can be written");
            }
            root.display().to_string()
        };
        let (model_root, base_root) = (write("model", files), write("base", base));
        let run = |root: &str, texts: &str, more: &[&str]| {
            let arguments = [&["--engine", engine, "--model", root], more].concat();
            peak_with(texts, &arguments, &cache)
        };
        Self {
            file: files.values().map(Vec::len).max().unwrap_or(0),
            base: run(&base_root, "word\n", &["--no-optimize"]),
            original: run(&model_root, &long, &["--no-optimize"]),
            first: run(&model_root, &long, &[]),
            cached: run(&model_root, "word\n", &[]),
        }
    }

    /// 1.3 times the file, and a little that allocators keep.
    fn allowed(&self) -> usize {
        self.file * 13 / 10 + 2 * MEGABYTE
    }

    /// Bounds what the weights add to the engine itself.
    fn check_cached(&self) {
        assert!(self.cached < self.base + self.allowed(), "{self:?}");
    }

    /// The check runs the original graph first, whose memory the engine may
    /// keep.
    fn check_first(&self) {
        assert!(self.first < self.original + self.allowed(), "{self:?}");
    }
}

impl fmt::Display for Peaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peaks = [self.base, self.original, self.first, self.cached];
        let megabytes = peaks.map(|bytes| bytes / MEGABYTE);
        write!(
            f,
            "of {} MB; base, original, first, cached: {megabytes:?} MB",
            self.file / MEGABYTE
        )
    }
}

/// A model of the same inputs and output with almost no weights.
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

/// The demo model with four times the rows in its embedding table, so that
/// weights dominate.
fn demo() -> (&'static Path, Vec<u8>) {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/minilm-colbert"
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
fn int8_in_onnxruntime() {
    let (demo, model) = demo();
    let peaks = Peaks::of(demo, Model::new("model_int8.onnx", &model), "onnxruntime");
    peaks.check_cached();
    peaks.check_first();
}

#[test]
fn fp32_in_onnxruntime() {
    let (demo, model) = demo();
    let model = in_floats(model);
    let peaks = Peaks::of(demo, Model::new("model.onnx", &model), "onnxruntime");
    assert!(peaks.cached < peaks.original, "{peaks:?}");
    peaks.check_cached();
    peaks.check_first();
}

#[test]
fn int8_and_fp32_in_tract() {
    let (demo, model) = demo();
    for (name, model) in [
        ("model_int8.onnx", model.clone()),
        ("model.onnx", in_floats(model)),
    ] {
        let peaks = Peaks::of(demo, Model::new(name, &model), "tract");
        peaks.check_cached();
        peaks.check_first();
    }
}

/// Weights of floats are quantized part by part, so that memory never holds
/// them all.
#[test]
fn safetensors_that_are_quantized_at_load() {
    let files = demo::safetensors();
    let graph = without_weights(MINILM.int8);
    let base = [
        ("onnx_config.json", MINILM.config),
        ("tokenizer.json", MINILM.tokenizer),
        ("model.onnx", &graph),
    ];
    let base = base.map(|(path, content)| (path.to_owned(), content.to_vec()));
    let base = Files::from(base);
    for engine in ["onnxruntime", "tract"] {
        let peaks = Peaks::of_files(&files, &base, engine);
        println!("{engine}, safetensors: {peaks}");
        peaks.check_cached();
        peaks.check_first();
        // Twice the integers, which are a quarter of the file.
        assert!(peaks.cached < peaks.base + peaks.file * 7 / 10, "{peaks:?}");
    }
}
