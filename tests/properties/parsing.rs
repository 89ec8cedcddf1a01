//! Parsers of untrusted files.

use multivec_core::tokenize::TextTokenizer;
use multivec_core::{ModelConfig, ModelParts};
use multivec_graph::Graph;
use multivec_graph::passes::{
    drop_value_info, lift_nan_guards, remove_final_normalization, replace_mask_lookup,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};

use crate::inputs::cases;
use multivec_testing::TINY;

const KEYS: [&str; 16] = [
    "query_prefix",
    "document_prefix",
    "query_prefix_id",
    "document_prefix_id",
    "query_length",
    "document_length",
    "do_query_expansion",
    "attend_to_expansion_tokens",
    "do_lower_case",
    "skiplist_words",
    "embedding_dim",
    "uses_token_type_ids",
    "mask_token_id",
    "pad_token_id",
    "model_name",
    "another_key",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..70i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(&["[Q] ", "[D] ", "[unused0]", "[MASK]", ""][..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::from(Map::from_iter(map))),
        ]
    })
}

fn configuration() -> impl Strategy<Value = Vec<u8>> {
    btree_map(select(&KEYS[..]), value(), 0..8).prop_map(|map| {
        let map = map.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::from(Map::from_iter(map)).to_string().into_bytes()
    })
}

/// What happened to a file.
#[derive(Clone, Debug)]
struct Damage {
    /// Bytes that were replaced.
    bytes: Vec<(Index, u8)>,
    /// Where the file was cut off.
    end: Option<Index>,
}

impl Damage {
    fn apply(&self, whole: &[u8]) -> Vec<u8> {
        let mut damaged = whole.to_vec();
        for (at, byte) in &self.bytes {
            damaged[at.index(whole.len())] = *byte;
        }
        if let Some(end) = self.end {
            damaged.truncate(end.index(whole.len()));
        }
        damaged
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = vec((any::<Index>(), any::<u8>()), 0..12);
    let end = proptest::option::of(any::<Index>());
    (bytes, end).prop_map(|(bytes, end)| Damage { bytes, end })
}

fn read_graph(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    match Graph::parse("model.onnx", bytes.into()) {
        Ok(mut graph) => {
            graph.external_files();
            remove_final_normalization(&mut graph);
            lift_nan_guards(&mut graph);
            replace_mask_lookup(&mut graph);
            drop_value_info(&mut graph);
            graph.remove_dead_nodes();
            let written = graph.into_bytes();
            let again = Graph::parse("model.onnx", written.clone().into());
            prop_assert_eq!(again.expect("it was written").into_bytes(), written);
        }
        Err(error) => {
            prop_assert_eq!(error.code(), "invalid_model");
            prop_assert!(error.to_string().contains("model.onnx"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn configurations(json in configuration()) {
        for fixture in TINY {
            match ModelConfig::from_json("onnx_config.json", &json) {
                Ok(config) => {
                    prop_assert!(config.query_length > 0 && config.document_length > 0);
                    let (file, json) = ("tokenizer.json", fixture.tokenizer);
                    let found = TextTokenizer::from_json(file, json, &config);
                    let parts = ModelParts::new(config, file, json);
                    prop_assert_eq!(found.is_ok(), parts.is_ok());
                    if let Err(error) = found {
                        prop_assert_eq!(error.code(), "config_value");
                    }
                }
                Err(error) => {
                    prop_assert_eq!(error.code(), "config_value");
                    prop_assert!(error.to_string().starts_with("onnx_config.json: key `"));
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_configuration(bytes in vec(any::<u8>(), 0..60)) {
        let error = ModelConfig::from_json("onnx_config.json", &bytes).expect_err("not an object");
        prop_assert_eq!(error.code(), "config_syntax");
    }

    #[test]
    fn damaged_configurations(damage in damage()) {
        for fixture in TINY {
            let json = damage.apply(fixture.config);
            if let Err(error) = ModelConfig::from_json("onnx_config.json", &json) {
                prop_assert!(["config_syntax", "config_value"].contains(&error.code()));
            }
        }
    }

    #[test]
    fn bytes_that_are_no_graph(bytes in vec(any::<u8>(), 0..200)) {
        read_graph(bytes)?;
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn damaged_graphs(damage in damage()) {
        for fixture in TINY {
            for whole in [fixture.fp32.expect("tiny models have FP32"), fixture.int8] {
                read_graph(damage.apply(whole))?;
            }
        }
    }

    /// The nodes of a graph precede its weights in the file.
    #[test]
    fn damaged_nodes(damage in damage()) {
        for fixture in TINY {
            let whole = fixture.fp32.expect("tiny models have FP32");
            let (nodes, weights) = whole.split_at(20_000);
            read_graph([damage.apply(nodes), weights.to_vec()].concat())?;
        }
    }

    #[test]
    fn damaged_tokenizers(damage in damage()) {
        for fixture in TINY {
            let config = ModelConfig::from_json("onnx_config.json", fixture.config)
                .expect("the fixture is valid");
            let json = damage.apply(fixture.tokenizer);
            if let Err(error) = TextTokenizer::from_json("tokenizer.json", &json, &config) {
                prop_assert!(["invalid_tokenizer", "config_value"].contains(&error.code()));
            }
        }
    }
}
