//! A graph as its exporter wrote it, without its large initializers, which are
//! drawn with the mean and the deviation of the real ones.

use std::collections::HashMap;
use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;
use multivec_graph::Graph;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};
use serde::Deserialize;

use super::{Result, read, source, target};

const NAME: &str = "gte-moderncolbert-shape";
const SEED: u64 = 149;

/// An initializer that the skeleton is without.
#[derive(Deserialize)]
struct Weights {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    mean: f32,
    std: f32,
}

/// Writes the model in one precision: `model` or `model_int8`.
pub fn write(file: &str) -> Result {
    let (source, target) = (source().join(NAME), target(NAME)?);
    for name in ["onnx_config.json", "tokenizer.json"] {
        fs::copy(source.join(name), target.join(name))
            .map_err(|error| format!("{name}: {error}"))?;
    }
    let skeleton = read(&source.join(format!("{file}.skeleton.onnx.gz")))?;
    let mut bytes = Vec::new();
    GzDecoder::new(skeleton.as_slice())
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{file}.skeleton.onnx.gz: {error}"))?;
    let list = read(&source.join(format!("{file}.weights.json")))?;
    let list: Vec<Weights> =
        serde_json::from_slice(&list).map_err(|error| format!("{file}.weights.json: {error}"))?;
    let model = target.join(format!("{file}.onnx"));
    fs::write(&model, fill(bytes, list)?)
        .map_err(|error| format!("{}: {error}", model.display()))?;
    println!("{}", model.display());
    Ok(())
}

fn fill(skeleton: Vec<u8>, list: Vec<Weights>) -> Result<Vec<u8>> {
    let mut graph = Graph::parse("skeleton", skeleton.into()).map_err(|error| error.to_string())?;
    let mut list: HashMap<String, Weights> = list
        .into_iter()
        .map(|weights| (weights.name.clone(), weights))
        .collect();
    let mut random = StdRng::seed_from_u64(SEED);
    for tensor in &mut graph.proto_mut().initializer {
        let name = tensor.name.clone().unwrap_or_default();
        let Some(weights) = list.remove(&name) else {
            continue;
        };
        tensor.raw_data = Some(draw(&weights, &mut random)?.into());
    }
    match list.into_keys().next() {
        None => Ok(graph.into_bytes()),
        Some(name) => Err(format!("expected an initializer `{name}`, found none")),
    }
}

fn draw(weights: &Weights, random: &mut StdRng) -> Result<Vec<u8>> {
    let normal = Normal::new(weights.mean, weights.std)
        .map_err(|error| format!("{}: {error}", weights.name))?;
    let count = weights.shape.iter().product();
    let values = normal.sample_iter(random).take(count);
    // Casts keep within the range of the type.
    Ok(match weights.dtype.as_str() {
        "float32" => values.flat_map(f32::to_le_bytes).collect(),
        "int8" => values.map(|value| value.round() as i8 as u8).collect(),
        "uint8" => values.map(|value| value.round() as u8).collect(),
        other => return Err(format!("{}: unknown type {other}", weights.name)),
    })
}
