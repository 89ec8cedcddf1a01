//! Tests: heads of each family in ONNX Runtime against the logits of
//! transformers, as written and fused.

use std::collections::BTreeMap;

use multivec_core::{Backend, RunMode};
use multivec_graph::Bytes;
use multivec_testing::folders::fixture;
use multivec_testing::heads::{HeadModel, HeadText, batch};
use serde_json::json;

use super::onnxruntime::{Loaded, load};
use super::source::Source;
use crate::options::{LoadOptions, Optimization, Provider};

/// The largest difference, in multiples of a value beyond 1.
const BOUND: f32 = 1e-5;

/// A model by its graph. Logits of labels and of single tokens are those of a
/// cross-encoder, logits in each place are states like others.
fn source(model: &HeadModel) -> Source {
    let families = fixture("families");
    let file = |name: &str| std::fs::read(families.join(name)).expect("the fixture can be read");
    let (name, config) = if model.name.contains("masked") {
        ("onnx_config.json", file("onnx_config.json"))
    } else {
        let config = json!({
            "model_type": "bert",
            "architectures": ["BertForSequenceClassification"],
            "max_position_embeddings": 40,
        });
        ("config.json", config.to_string().into_bytes())
    };
    let files: [(&str, Vec<u8>); 3] = [
        ("model.onnx", model.graph().into_bytes()),
        ("tokenizer.json", file("tokenizer.json")),
        (name, config),
    ];
    let files = files.map(|(name, content)| (name.to_owned(), Bytes::from(content)));
    Source::Files(BTreeMap::from(files))
}

fn far(found: &[f32], text: &HeadText) -> Option<(f32, f32)> {
    let pairs = found.iter().copied().zip(text.logits.iter().copied());
    let mut pairs = pairs.filter(|(found, expected)| {
        let is_near = (found - expected).abs() <= BOUND * expected.abs().max(1.);
        !is_near
    });
    pairs.next()
}

#[test]
fn logits_are_those_of_transformers() {
    for model in HeadModel::all() {
        let texts = model.texts();
        for optimization in [Optimization::Off, Optimization::Checked] {
            let cache = tempfile::tempdir().expect("a temporary folder");
            let options = LoadOptions {
                optimization,
                cache_dir: Some(cache.path().to_owned()),
                ..LoadOptions::default()
            };
            let name = format!("{} {optimization:?}", model.name);
            let Loaded { backend, .. } = load(&source(&model), &options, Provider::Cpu, None)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let run = |texts: &[HeadText], length| {
                let states = backend.run(&batch(texts, length), RunMode::Exclusive);
                states
                    .unwrap_or_else(|error| panic!("{name}: {error}"))
                    .data
            };
            for text in &texts {
                let found = run(std::slice::from_ref(text), text.ids.len());
                assert_eq!(found.len(), text.logits.len(), "{name}");
                assert_eq!(far(&found, text), None, "{name}");
            }
            // Together, and longer than any of them.
            let found = run(&texts, 17);
            for (found, text) in found.chunks_exact(found.len() / texts.len()).zip(&texts) {
                // Positions of padding do not matter.
                assert_eq!(far(found, text), None, "{name}");
            }
        }
    }
}
