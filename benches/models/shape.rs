//! A published architecture: `shapes/NAME.json` has its configuration and the
//! shapes of its weights, from which the folder of a model is made, exported
//! and quantized.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use multivec::{ModelDirectory, Precision, export_model};
use multivec_graph::quantize::{self, LayerTensor, WeightRange};
use multivec_graph::{Graph, tensor_bytes};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};
use safetensors::tensor::{Dtype, View, serialize_to_file};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Result, read, source, target};

const SEED: u64 = 150;
/// Columns of embeddings.
const DIM: usize = 128;
const TOKENIZER: &str = "gte-moderncolbert-shape/tokenizer.json";

#[derive(Deserialize)]
struct Shape {
    config: Value,
    weights: Shapes,
    layers: Vec<Layers>,
}

/// Layers that have the same weights.
#[derive(Deserialize)]
struct Layers {
    prefix: String,
    at: Vec<usize>,
    weights: Shapes,
}

type Shapes = BTreeMap<String, Vec<usize>>;

/// Writes `model.onnx` and `model_int8.onnx`.
pub fn write(name: &str) -> Result {
    let path = source().join(format!("shapes/{name}.json"));
    let shape: Shape = serde_json::from_slice(&read(&path)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    write_folder(&shape, folder.path())?;
    let target = target(name)?;
    let exported = ModelDirectory::open(folder.path())
        .and_then(|directory| {
            let weights = directory.choose(Some(Precision::Fp32))?;
            export_model(&directory, weights, &target)
        })
        .map_err(|error| error.to_string())?;
    let int8 = exported.model.with_file_name("model_int8.onnx");
    let graph = quantized(read(&exported.model)?)?;
    fs::write(&int8, graph).map_err(|error| format!("{}: {error}", int8.display()))?;
    println!("{}\n{}", exported.model.display(), int8.display());
    Ok(())
}

/// A model as hubs have it.
fn write_folder(shape: &Shape, folder: &Path) -> Result {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let width = shape.config["hidden_size"].as_u64();
    let width = width.ok_or("expected the number `hidden_size`")? as usize;
    let dense = folder.join("1_Dense");
    fs::create_dir(&dense).map_err(|error| failed(&error))?;
    for (path, content) in [
        ("config.json", shape.config.clone()),
        (
            "config_sentence_transformers.json",
            json!({
                "query_prefix": "[Q] ", "document_prefix": "[D] ",
                "query_length": 32, "document_length": 300,
                "do_query_expansion": true, "attend_to_expansion_tokens": false,
                "skiplist_words": [],
            }),
        ),
        (
            "modules.json",
            json!([
                { "idx": 0, "name": "0", "path": "",
                  "type": "sentence_transformers.models.Transformer" },
                { "idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense" },
            ]),
        ),
        (
            "1_Dense/config.json",
            json!({
                "in_features": width, "out_features": DIM, "bias": false,
                "activation_function": "torch.nn.modules.linear.Identity",
            }),
        ),
    ] {
        fs::write(folder.join(path), content.to_string()).map_err(|error| failed(&error))?;
    }
    fs::copy(source().join(TOKENIZER), folder.join("tokenizer.json"))
        .map_err(|error| failed(&error))?;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut all = shape.weights.clone();
    for layers in &shape.layers {
        for at in &layers.at {
            let weights = layers.weights.iter();
            all.extend(
                weights
                    .map(|(name, shape)| (format!("{}{at}.{name}", layers.prefix), shape.clone())),
            );
        }
    }
    save(&folder.join("model.safetensors"), &all, &mut random)?;
    let projection = Shapes::from([("linear.weight".to_owned(), vec![DIM, width])]);
    save(&dense.join("model.safetensors"), &projection, &mut random)
}

fn save(path: &Path, shapes: &Shapes, random: &mut StdRng) -> Result {
    let tensors = shapes.iter().map(|(name, shape)| {
        let bytes = draw(name, shape, random)?;
        let shape = shape.clone();
        Ok((name.as_str(), Drawn { shape, bytes }))
    });
    let tensors: Vec<_> = tensors.collect::<Result<_>>()?;
    serialize_to_file(tensors, None, path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Weights that keep rows at about the same size from layer to layer.
fn draw(name: &str, shape: &[usize], random: &mut StdRng) -> Result<Vec<u8>> {
    let (mean, deviation) = match shape {
        [_] if name.ends_with("bias") => (0., 0.02),
        [_] => (1., 0.1),
        [.., _] if name.contains("embed") => (0., 1.),
        [.., inner] => (0., (*inner as f32).sqrt().recip()),
        [] => return Err(format!("{name}: expected a shape, found none")),
    };
    let normal = Normal::new(mean, deviation).map_err(|error| format!("{name}: {error}"))?;
    let values = normal.sample_iter(random).take(shape.iter().product());
    Ok(values.flat_map(f32::to_le_bytes).collect())
}

struct Drawn {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Drawn {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.bytes.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The model with all layers in 8 bits.
fn quantized(model: Vec<u8>) -> Result<Vec<u8>> {
    let failed = |error: multivec_graph::Error| error.to_string();
    let file = "model.onnx";
    let mut graph = Graph::parse(file, model.into()).map_err(failed)?;
    let in_graph = |_: &_| {
        Err(multivec_graph::Error::invalid(
            file,
            "weights in another file",
        ))
    };
    let layers = quantize::layers(&graph, file).map_err(failed)?;
    let layers = layers.into_iter().map(|layer| {
        let tensor = layer
            .tensor(&graph)
            .ok_or("expected the weights of a layer")?;
        let bytes = tensor_bytes(tensor, &in_graph).map_err(failed)?;
        let tensor = LayerTensor::new(&layer, &bytes, file);
        let weights = quantize::quantize_weights(tensor, WeightRange::Full, &[]).map_err(failed)?;
        Ok(weights.into_layer(layer, &[]))
    });
    let layers = layers.collect::<Result<Vec<_>>>()?;
    quantize::replace(&mut graph, &layers);
    Ok(graph.into_bytes())
}
