//! The demo model as hubs publish models: weights in safetensors, and a Dense
//! module.

use std::collections::{BTreeMap, HashMap};

use multivec_graph::Graph;
use multivec_graph::onnx::{NodeProto, TensorProto};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};

use crate::MINILM;
use crate::floats::in_floats;

const DENSE: &str = "linear.weight";

/// The files of a folder, by their paths.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The demo model's graph in floats.
pub fn onnx() -> Vec<u8> {
    in_floats(MINILM.int8.to_vec())
}

/// The same weights as PyLate stores them.
pub fn safetensors() -> Files {
    let mut weights = weights();
    let dense = weights.remove(DENSE).expect("a projection");
    let [outer, inner] = dense.shape[..] else {
        panic!("expected a matrix, found {:?}", dense.shape);
    };
    let given: Value = serde_json::from_slice(MINILM.config).expect("valid JSON");
    let mut config = given.clone();
    for key in ["embedding_dim", "mask_token_id", "pad_token_id"] {
        config.as_object_mut().expect("an object").remove(key);
    }
    let module = |at: usize, path: &str, of: &str| json!({ "idx": at, "name": at.to_string(), "path": path, "type": of });
    let json = [
        (
            "modules.json",
            json!([
                module(0, "", "sentence_transformers.models.Transformer"),
                module(1, "1_Dense", "pylate.models.Dense.Dense"),
            ]),
        ),
        ("config_sentence_transformers.json", config),
        (
            "sentence_bert_config.json",
            json!({ "max_seq_length": 300, "do_lower_case": false }),
        ),
        (
            "tokenizer_config.json",
            json!({ "mask_token": "[MASK]", "pad_token": "[MASK]" }),
        ),
        (
            "config.json",
            json!({
                "model_type": "bert",
                "hidden_act": "gelu",
                "hidden_size": inner,
                "intermediate_size": 4 * inner,
                "layer_norm_eps": 1e-12,
                "max_position_embeddings": 512,
                "num_attention_heads": 12,
                "num_hidden_layers": 6,
                "type_vocab_size": 2,
                "vocab_size": 30_524,
            }),
        ),
        (
            "1_Dense/config.json",
            json!({
                "in_features": inner,
                "out_features": outer,
                "bias": false,
                "activation_function": "torch.nn.modules.linear.Identity",
            }),
        ),
    ];
    let json = json.map(|(name, value)| (name.to_owned(), value.to_string().into_bytes()));
    let mut files = Files::from(json);
    files.insert("tokenizer.json".to_owned(), MINILM.tokenizer.to_vec());
    files.insert("model.safetensors".to_owned(), stored(&weights));
    let dense = HashMap::from([(DENSE.to_owned(), dense)]);
    files.insert("1_Dense/model.safetensors".to_owned(), stored(&dense));
    files
}

struct Weights {
    shape: Vec<usize>,
    floats: Vec<f32>,
}

impl Weights {
    fn of(tensor: &TensorProto) -> Self {
        let raw = tensor.raw_data.as_ref().expect("bytes");
        let floats = raw.as_chunks().0.iter();
        Self {
            shape: tensor.dims.iter().map(|&size| size as usize).collect(),
            floats: floats.map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        }
    }
}

fn stored(weights: &HashMap<String, Weights>) -> Vec<u8> {
    let bytes: Vec<(&String, &Weights, Vec<u8>)> = weights
        .iter()
        .map(|(name, one)| {
            let floats = one.floats.iter().flat_map(|value| value.to_le_bytes());
            (name, one, floats.collect())
        })
        .collect();
    let views = bytes.iter().map(|(name, one, bytes)| {
        let view = TensorView::new(Dtype::F32, one.shape.clone(), bytes);
        (name.as_str(), view.expect("a tensor"))
    });
    serialize(views, None).expect("it can be written")
}

/// The weights by the names that they have in PyTorch.
fn weights() -> HashMap<String, Weights> {
    let graph = Graph::parse("demo", onnx().into()).expect("a graph");
    let tensors = graph.initializers().iter();
    let named: HashMap<&str, &TensorProto> = tensors
        .filter_map(|tensor| Some((tensor.name.as_deref()?, tensor)))
        .collect();
    let mut found: HashMap<String, Weights> = named
        .iter()
        .filter(|(name, tensor)| name.starts_with("bert.") && tensor.data_type == Some(1))
        .map(|(name, tensor)| (own(name).to_owned(), Weights::of(tensor)))
        .collect();
    found.remove("embeddings.word_embeddings.weight_scales");
    let table = "bert.embeddings.word_embeddings.weight";
    found.insert(
        own(table).to_owned(),
        dequantized(
            named[format!("{table}_quantized").as_str()],
            named[format!("{table}_scales").as_str()],
        ),
    );
    for node in graph.nodes().iter().filter(|node| node.is("MatMul")) {
        let Some(matrix) = named.get(node.input[1].as_str()) else {
            continue;
        };
        let mut matrix = Weights::of(matrix);
        let [inner, outer] = matrix.shape[..] else {
            panic!("expected a matrix, found {:?}", matrix.shape);
        };
        // Columns that were made smaller for quantization.
        let factors = smoothing(&graph, node).map(|name| Weights::of(named[name]));
        let factor = |row: usize| factors.as_ref().map_or(1., |factors| factors.floats[row]);
        let transposed = (0..outer).flat_map(|column| (0..inner).map(move |row| (row, column)));
        matrix.floats = transposed
            .map(|(row, column)| matrix.floats[row * outer + column] * factor(row))
            .collect();
        matrix.shape = vec![outer, inner];
        // `/bert/encoder/layer.0/output/dense/MatMul`
        let name = node.name.as_deref().expect("a name").trim_matches('/');
        let name = name.strip_suffix("/MatMul").expect("a product");
        found.insert(format!("{}.weight", own(&name.replace('/', "."))), matrix);
    }
    found
}

fn own(name: &str) -> &str {
    name.strip_prefix("bert.").unwrap_or(name)
}

/// The factors by which the rows that a product reads are multiplied.
fn smoothing<'g>(graph: &'g Graph, product: &NodeProto) -> Option<&'g str> {
    let mut nodes = graph.nodes().iter();
    let before = nodes.find(|node| node.output.contains(&product.input[0]))?;
    let factors = before.input.get(1)?;
    (before.is("Mul") && factors.ends_with("_smoothing")).then_some(factors)
}

/// A table of 8-bit rows with a scale each.
fn dequantized(values: &TensorProto, scales: &TensorProto) -> Weights {
    let scales = Weights::of(scales).floats;
    let values_of = values.raw_data.as_ref().expect("bytes");
    let columns = values.dims[1] as usize;
    let floats = values_of.iter().enumerate();
    Weights {
        shape: values.dims.iter().map(|&size| size as usize).collect(),
        floats: floats
            .map(|(at, &value)| f32::from(value as i8) * scales[at / columns])
            .collect(),
    }
}
