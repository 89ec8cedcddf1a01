mod declared;
mod heads;

use std::io::Cursor;

use super::*;
use crate::fuse;
use crate::index::ValueIndex;
use crate::testing::fixture_bytes;
use crate::trace::Trace;

fn weights(folder: &str) -> WeightIndex {
    let bytes = fixture_bytes(&format!("{folder}/model.safetensors"));
    let mut index = WeightIndex::new();
    index
        .read_file("model.safetensors", Cursor::new(bytes))
        .expect("a safetensors file");
    index
}

fn architecture(name: &str) -> Architecture {
    let folder = format!("tests/fixtures/hub/{name}");
    let config = fixture_bytes(&format!("{folder}/config.json"));
    build("config.json", &config, &weights(&folder), Head::None).expect("a known family")
}

/// Operators of a fused graph.
#[derive(Debug, PartialEq)]
struct Found {
    attentions: usize,
    layer_norms: usize,
    linears: usize,
    embeddings: usize,
    /// Windowed, rotary.
    special: [usize; 2],
}

fn fused(name: &str) -> Found {
    let mut graph = architecture(name).graph;
    let fused = fuse(&mut graph);
    let norms = graph.nodes().iter();
    Found {
        attentions: fused.attentions,
        layer_norms: norms.filter(|node| node.is("LayerNormalization")).count(),
        linears: fused.linears,
        embeddings: fused.embeddings,
        special: [fused.windowed, fused.rotary],
    }
}

#[test]
fn bert_is_fused() {
    for name in ["mv-pylate-bert", "mv-stanford-bert", "mv-st-bert-plain"] {
        let expected = Found {
            attentions: 3,
            layer_norms: 7,
            linears: 18,
            embeddings: 3,
            special: [0, 0],
        };
        assert_eq!(fused(name), expected, "{name}");
    }
}

#[test]
fn families_are_fused() {
    for (name, layer_norms, linears, embeddings, special) in [
        ("mv-pylate-xlmr", 7, 18, 2, [0, 0]),
        ("dense-distilbert-mean", 7, 18, 2, [0, 0]),
        ("mv-pylate-modernbert", 7, 12, 1, [2, 3]),
        ("mv-pylate-modernbert-f16", 7, 12, 1, [2, 3]),
        ("mv-st-modernbert", 7, 12, 1, [2, 3]),
        ("dense-nomic-mean", 7, 15, 2, [0, 3]),
    ] {
        let expected = Found {
            attentions: 3,
            layer_norms,
            linears,
            embeddings,
            special,
        };
        assert_eq!(fused(name), expected, "{name}");
    }
    for (name, linears) in [
        ("dense-mpnet-mean", 18),
        ("dense-eurobert-mean", 21),
        ("dense-qwen3-last", 21),
        ("mv-st-lfm2", 17),
    ] {
        assert_eq!(fused(name).linears, linears, "{name}");
    }
}

/// Normalizations of heads are a part of attention.
#[test]
fn norms_and_gates_of_decoders_are_fused() {
    for (name, rms_norms, activations, gated) in [
        ("dense-eurobert-mean", 7, 3, 3),
        ("dense-qwen3-last", 7, 3, 3),
        ("mv-st-lfm2", 7, 3, 3),
        ("dense-nomic-mean", 0, 3, 3),
        ("dense-gemma3-mean", 13, 0, 3),
        ("dense-mistral-last", 5, 2, 2),
        ("dense-t5-gated", 5, 0, 2),
        ("dense-t5-mean", 5, 0, 0),
    ] {
        let mut graph = architecture(name).graph;
        let fused = fuse(&mut graph);
        let found = (fused.rms_normalizations, fused.activations, fused.gated);
        assert_eq!(found, (rms_norms, activations, gated), "{name}: {fused}");
        assert!(
            !graph.nodes().iter().any(|node| node.is("ReduceMean")),
            "{name}"
        );
    }
}

#[test]
fn all_forms_of_attention_are_fused() {
    // All, rotary, windowed, causal, grouped, with norms of heads, with a bias.
    for (name, expected) in [
        ("dense-mpnet-mean", [3, 0, 0, 0, 0, 0, 3]),
        ("dense-eurobert-mean", [3, 3, 0, 0, 3, 0, 0]),
        ("dense-qwen3-last", [3, 3, 0, 3, 3, 3, 0]),
        ("mv-st-lfm2", [1, 1, 0, 1, 1, 1, 0]),
        ("dense-gemma3-mean", [3, 3, 2, 0, 3, 3, 0]),
        ("dense-gemma3-last", [3, 3, 2, 3, 3, 3, 0]),
        ("dense-mistral-last", [2, 2, 2, 2, 2, 0, 0]),
        ("dense-qwen2-last", [3, 3, 2, 3, 3, 0, 0]),
        ("dense-t5-mean", [2, 0, 0, 0, 0, 0, 2]),
    ] {
        let fused = fuse(&mut architecture(name).graph);
        let found = [
            fused.attentions,
            fused.rotary,
            fused.windowed,
            fused.causal,
            fused.grouped,
            fused.head_norms,
            fused.biased,
        ];
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_value_has_a_shape() {
    for name in [
        "mv-pylate-bert",
        "mv-pylate-xlmr",
        "mv-pylate-modernbert",
        "mv-st-lfm2",
        "dense-distilbert-mean",
        "dense-mpnet-mean",
        "dense-nomic-mean",
        "dense-eurobert-mean",
        "dense-qwen3-last",
    ] {
        let graph = architecture(name).graph;
        let index = ValueIndex::new(&graph);
        let trace = Trace::unpadded(&index, 2, 7);
        for node in graph.nodes() {
            for output in &node.output {
                let operator = node.operator();
                assert!(trace.get(output).is_some(), "{name}: {output}: {operator}");
            }
        }
        assert_eq!(trace.shape(OUTPUT), Some(&[2, 7, 64][..]), "{name}");
    }
}

#[test]
fn no_weight_of_an_encoder_is_left_out() {
    for (name, left) in [
        (
            "mv-pylate-bert",
            &["pooler.dense.bias", "pooler.dense.weight"][..],
        ),
        ("mv-pylate-modernbert", &[]),
        ("mv-st-lfm2", &[]),
        ("dense-distilbert-mean", &[]),
        (
            "dense-mpnet-mean",
            &["pooler.dense.bias", "pooler.dense.weight"],
        ),
        ("dense-nomic-mean", &[]),
        ("dense-eurobert-mean", &[]),
        ("dense-qwen3-last", &[]),
        ("dense-gemma3-mean", &[]),
        ("dense-mistral-last", &[]),
        ("dense-qwen2-last", &[]),
        ("dense-t5-gated", &[]),
        ("dense-t5-mean", &[]),
    ] {
        let index = weights(&format!("tests/fixtures/hub/{name}"));
        assert_eq!(unused(&architecture(name), &index), left, "{name}");
    }
}

/// Weights that a graph does not read.
fn unused<'a>(architecture: &Architecture, index: &'a WeightIndex) -> Vec<&'a str> {
    let names = index.names();
    names
        .filter(|name| architecture.graph.initializer(name).is_none())
        .collect()
}

#[test]
fn configurations_state_sizes() {
    let found = architecture("mv-pylate-bert");
    assert_eq!(found.model_type, "bert");
    assert_eq!((found.width, found.max_positions), (64, Some(208)));
    let inputs: Vec<&str> = found.graph.free_inputs().collect();
    assert_eq!(inputs, ["input_ids", "attention_mask", "token_type_ids"]);

    // Positions start after the id of padding.
    let found = architecture("mv-pylate-xlmr");
    assert_eq!((found.width, found.max_positions), (64, Some(206)));
    let inputs: Vec<&str> = found.graph.free_inputs().collect();
    assert_eq!(inputs, ["input_ids", "attention_mask"]);
}

/// The error of the BERT fixture with other values in its configuration.
fn refused(changes: &[(&str, serde_json::Value)]) -> String {
    let folder = "tests/fixtures/hub/mv-pylate-bert";
    let config = fixture_bytes(&format!("{folder}/config.json"));
    let mut config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    for (key, value) in changes {
        config[key] = value.clone();
    }
    let config = config.to_string();
    let built = build(
        "config.json",
        config.as_bytes(),
        &weights(folder),
        Head::None,
    );
    built.expect_err("an impossible configuration").to_string()
}

#[test]
fn what_is_not_implemented_is_refused_by_name() {
    for (key, value, expected) in [
        ("model_type", "reformer".into(), "`reformer`"),
        ("hidden_act", "mish".into(), "`mish`"),
        ("position_embedding_type", "relative_key".into(), "absolute"),
        ("is_decoder", true.into(), "false"),
        ("hidden_size", (-1).into(), "-1"),
        ("hidden_size", "64".into(), "\"64\""),
        ("num_attention_heads", 5.into(), "divisor"),
        ("num_hidden_layers", 1_000_000.into(), "at most"),
        ("layer_norm_eps", "small".into(), "a number"),
    ] {
        let message = refused(&[(key, value)]);
        let start = format!("config.json: {key}: ");
        assert!(message.starts_with(&start), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    assert!(refused(&[("model_type", "reformer".into())]).contains("xlm-roberta"));
    let error = build("config.json", b"[1", &WeightIndex::new(), Head::None);
    assert_eq!(error.expect_err("no JSON").code(), "invalid_file");
}

#[test]
fn options_of_sections_are_named_with_them() {
    let folder = "tests/fixtures/hub/mv-st-lfm2";
    let config = fixture_bytes(&format!("{folder}/config.json"));
    let mut config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    config["rope_parameters"]["rope_type"] = "yarn".into();
    let config = config.to_string();
    let error = build(
        "config.json",
        config.as_bytes(),
        &weights(folder),
        Head::None,
    );
    let error = error.expect_err("scaled angles").to_string();
    assert!(
        error.contains("rope_parameters.rope_type: expected `default`"),
        "{error}"
    );
}

#[test]
fn damaged_configurations_are_read_or_refused() {
    for name in ["mv-pylate-bert", "mv-pylate-modernbert", "mv-st-lfm2"] {
        let folder = format!("tests/fixtures/hub/{name}");
        let whole = fixture_bytes(&format!("{folder}/config.json"));
        let index = weights(&folder);
        let mut refused = 0;
        for round in 0..1_000 {
            let mut config = whole.clone();
            let at = (round * 40_503) % config.len();
            config[at] = b"0987{}[],:\"-etn."[round % 16];
            refused += usize::from(build("config.json", &config, &index, Head::None).is_err());
        }
        assert!(refused > 100, "{name}: {refused}");
    }
}

#[test]
fn weights_have_to_be_there_and_fit() {
    let message = refused(&[("num_hidden_layers", 1_000.into())]);
    assert!(message.contains("encoder.layer.3."), "{message}");
    let message = refused(&[("intermediate_size", 129.into())]);
    assert!(message.contains("[129, 64]"), "{message}");
    assert!(message.contains("[128, 64]"), "{message}");
    assert!(message.starts_with("model.safetensors: "), "{message}");
    let distilbert = [("dim", 64.into()), ("n_heads", 4.into())];
    let distilbert = [&distilbert[..], &[("model_type", "distilbert".into())]].concat();
    let message = refused(&distilbert);
    assert!(message.contains("transformer.layer.0."), "{message}");
    let message = refused(&[("model_type", "modernbert".into())]);
    assert!(message.contains("embeddings.tok_embeddings"), "{message}");
    let heads = [("num_attention_heads", 1_000_000), ("head_dim", 1_000_000)];
    let message = refused(&heads.map(|(key, size)| (key, size.into())));
    assert!(message.contains("head_dim: expected at most"), "{message}");
}
