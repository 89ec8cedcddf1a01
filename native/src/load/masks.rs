//! Tests: batches with tokens before and after a text that are not attended to,
//! such as those of models that are padded on the left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use multivec_core::batch::TokenBatch;
use multivec_core::{Backend, Result, RunMode};
use multivec_graph::Bytes;
use multivec_testing::engines::is_thorough;
use safetensors::SafeTensors;
use serde_json::Value;

use super::onnxruntime::{Loaded, load};
use super::source::Source;
use crate::options::{LoadOptions, Optimization, Provider};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/families");
const SIDES: [&str; 3] = ["left", "right", "both"];

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the fixture can be read")
}

/// The graphs of exporters. Those of ONNX Runtime's optimizer for transformers
/// count the tokens that are attended to, and take them for the first.
fn graphs() -> impl Iterator<Item = PathBuf> {
    let exporters = [
        "script-17",
        "dynamo-18",
        "dynamo-23",
        "optimum",
        "runtime-extended",
    ];
    let folders = exporters.map(|exporter| Path::new(FIXTURES).join(exporter));
    let entries = folders.into_iter().flat_map(|folder| {
        std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").path())
    });
    entries.filter(|path| path.extension().is_some_and(|found| found == "onnx"))
}

fn source(graph: &Path) -> Source {
    let files = ["tokenizer.json", "onnx_config.json"].map(|name| {
        let content: Bytes = read(&Path::new(FIXTURES).join(name)).into();
        (name.to_owned(), content)
    });
    let model = ("model.onnx".to_owned(), read(graph).into());
    Source::Files(BTreeMap::from_iter(files.into_iter().chain([model])))
}

/// One text with tokens of padding on each side.
struct Padded {
    batch: TokenBatch,
    length: usize,
}

impl Padded {
    fn read() -> Self {
        let inputs = read(&Path::new(FIXTURES).join("inputs.json"));
        let inputs: Value = serde_json::from_slice(&inputs).expect("JSON");
        let numbers = |key: &str| -> Vec<i64> {
            let sides = SIDES.map(|side| inputs["padded"][side][key].clone());
            let sides = sides.map(|side| serde_json::from_value::<Vec<i64>>(side).expect("ids"));
            sides.concat()
        };
        let mut batch = TokenBatch::unpadded(SIDES.len(), numbers("ids"));
        batch.attention_mask = numbers("mask");
        Self {
            length: batch.attention_mask.iter().sum::<i64>() as usize / SIDES.len(),
            batch,
        }
    }

    /// The largest difference of attended tokens, of rows of unit length.
    fn difference(&self, backend: &dyn Backend, graph: &Path) -> Result<f32> {
        let states = backend.run(&self.batch, RunMode::Exclusive)?;
        let mask = self.batch.attention_mask.iter();
        let rows = states.data.chunks_exact(states.dim).zip(mask);
        let found = rows
            .filter(|(_, mask)| **mask == 1)
            .map(|(row, _)| unit(row));
        let bytes = read(&graph.with_extension("safetensors"));
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let expected = SIDES.map(|side| {
            let tensor = file.tensor(side).expect("the tensor is there");
            assert_eq!(tensor.shape(), [self.length, states.dim]);
            let values = tensor.data().chunks_exact(4);
            let values = values.map(|value| f32::from_le_bytes(value.try_into().expect("four")));
            values.collect::<Vec<_>>()
        });
        let expected = expected
            .iter()
            .flat_map(|side| side.chunks_exact(states.dim))
            .map(unit);
        let pairs = found
            .zip(expected)
            .flat_map(|(found, expected)| found.into_iter().zip(expected).collect::<Vec<_>>());
        Ok(pairs
            .map(|(found, expected)| (found - expected).abs())
            // NaN counts as the largest difference.
            .fold(0., |worst, one| if one <= worst { worst } else { one }))
    }
}

fn unit(row: &[f32]) -> Vec<f32> {
    let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    row.iter().map(|value| value / norm).collect()
}

/// Whether an engine is known not to load a graph.
fn is_refused(graph: &Path, engine: &str) -> bool {
    let expected = read(&Path::new(FIXTURES).join("expected.json"));
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let name = graph.strip_prefix(FIXTURES).expect("it is in the folder");
    let name = name.with_extension("").to_string_lossy().replace('\\', "/");
    expected["refused"][engine].get(name).is_some()
}

/// What is left to the night, as by `multivec_testing::engines::forms`.
fn forms(engine: &str) -> &'static [Optimization] {
    match engine {
        "tract" if !is_thorough() => &[Optimization::Checked],
        _ => &[Optimization::Off, Optimization::Checked],
    }
}

fn check(engine: &str, open: impl Fn(&Source, &LoadOptions) -> Result<Box<dyn Backend>>) {
    let padded = Padded::read();
    let mut failures = Vec::new();
    for graph in graphs().filter(|graph| !is_refused(graph, engine)) {
        for &optimization in forms(engine) {
            let cache = tempfile::tempdir().expect("a temporary folder");
            let options = LoadOptions {
                optimization,
                cache_dir: Some(cache.path().to_owned()),
                ..LoadOptions::default()
            };
            let found = open(&source(&graph), &options)
                .and_then(|backend| padded.difference(backend.as_ref(), &graph));
            match found {
                Ok(difference) if difference <= 1e-5 => {}
                found => failures.push(format!("{}: {optimization:?}: {found:?}", graph.display())),
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn onnxruntime_takes_padding_on_either_side() {
    check("onnxruntime", |source, options| {
        let Loaded { backend, .. } = load(source, options, Provider::Cpu, None)?;
        Ok(Box::new(backend))
    });
}

#[cfg(feature = "tract")]
#[test]
fn tract_takes_padding_on_either_side() {
    check("tract", |source, options| {
        let parallelism = options.parallelism()?;
        super::tract::load(&source.read(options, None)?, parallelism, options)
    });
}
