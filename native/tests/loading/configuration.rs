//! Configurations that are invalid or belong to another model.

use multivec::{EncoderBuilder, Precision, QueryExpansion, TextKind};
use serde_json::{Value, json};

use multivec_testing::models::{build, bytes, edited, folder, open, refused, with_config};
use multivec_testing::{TINY, TINY_BERT, TINY_MODERNBERT};

#[test]
fn not_a_json_object() {
    for text in [
        "",
        "{",
        "not JSON",
        "[1, 2]",
        "null",
        "\"text\"",
        "{\"a\": 1} x",
    ] {
        let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
        bytes.config = text.into();
        let found = if text.is_empty() {
            "an empty file"
        } else {
            "line 1"
        };
        let parts = ["onnx_config.json", "expected a JSON object", found];
        refused(build(bytes), "config_syntax", &parts);
    }
    let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
    bytes.config = b"{\"query_prefix\": \"\xff\"}".to_vec();
    refused(build(bytes), "config_syntax", &["onnx_config.json"]);
}

#[test]
fn wrong_types_and_ranges() {
    let cases = [
        ("query_prefix", json!(5), "a string"),
        ("document_prefix", json!(["[D] "]), "a string"),
        ("model_name", json!({}), "a string"),
        ("query_length", json!("32"), "a whole number"),
        ("query_length", json!(0), "a whole number from 1"),
        ("document_length", json!(-1), "a whole number from 1"),
        ("document_length", json!(1.5), "a whole number"),
        ("document_length", json!(1e30), "a whole number"),
        ("query_prefix_id", json!(-5), "a token id"),
        ("mask_token_id", json!(4_294_967_296u64), "a token id"),
        ("pad_token_id", json!("[PAD]"), "a token id"),
        ("do_query_expansion", json!("true"), "true or false"),
        ("attend_to_expansion_tokens", json!(1), "true or false"),
        ("do_lower_case", json!([]), "true or false"),
        ("uses_token_type_ids", json!("no"), "true or false"),
        ("skiplist_words", json!("!?"), "a list of strings"),
        ("skiplist_words", json!(["!", 1]), "a list of strings"),
        ("embedding_dim", json!(0), "a whole number from 1"),
    ];
    for (key, value, expected) in cases {
        let found = format!("found {value}");
        let bytes = with_config(&TINY_BERT, |config| {
            config.insert(key.to_owned(), value);
        });
        let key = format!("`{key}`");
        let parts = ["onnx_config.json", &key, expected, &found];
        refused(build(bytes), "config_value", &parts);
    }
}

#[test]
fn errors_name_the_file_with_its_folder() {
    let config = edited(TINY_BERT.config, |config| {
        config.insert("query_length".to_owned(), json!("long"));
    });
    let root = folder(&[
        ("config_sentence_transformers.json", &config),
        ("tokenizer.json", TINY_BERT.tokenizer),
        ("model_int8.onnx", TINY_BERT.int8),
    ]);
    let file = root.path().join("config_sentence_transformers.json");
    let parts = [&file.display().to_string(), "`query_length`", "\"long\""];
    refused(open(root.path()), "config_value", &parts);
}

#[test]
fn another_models_configuration() {
    for text in [
        "{}",
        "{\"architectures\": [\"BertModel\"], \"query_length\": null}",
    ] {
        let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
        bytes.config = text.into();
        let parts = [
            "onnx_config.json",
            "a late-interaction model",
            "`query_prefix`",
            "`document_length`",
        ];
        refused(build(bytes), "config_value", &parts);
    }
}

#[test]
fn a_prefix_that_the_vocabulary_lacks() {
    for key in ["query_prefix", "document_prefix"] {
        let bytes = with_config(&TINY_BERT, |config| {
            config.insert(key.to_owned(), json!("[unused77]"));
            config.remove(&format!("{key}_id"));
        });
        let (id, key) = (format!("`{key}_id`"), format!("`{key}`"));
        let parts = [
            "onnx_config.json",
            &key,
            &id,
            "tokenizer.json",
            "\"[unused77]\"",
        ];
        refused(build(bytes), "config_value", &parts);
    }
}

#[test]
fn a_prefix_with_another_id() {
    for (key, known) in [("query_prefix_id", "5"), ("document_prefix_id", "6")] {
        let bytes = with_config(&TINY_BERT, |config| {
            config.insert(key.to_owned(), json!(7));
        });
        let (key, expected) = (format!("`{key}`"), format!("expected {known}"));
        let parts = [
            "onnx_config.json",
            &key,
            &expected,
            "tokenizer.json",
            "found 7",
        ];
        refused(build(bytes), "config_value", &parts);
    }
}

/// As in PyLate, only the id decides which token is inserted.
#[test]
fn a_prefix_with_an_id_but_no_text() {
    let bytes = with_config(&TINY_BERT, |config| {
        config.insert("query_prefix".to_owned(), json!("[renamed]"));
    });
    let encoder = build(bytes).expect("the id suffices");
    let tokens = encoder.tokenize(&["a"], TextKind::Query).expect("a text");
    assert_eq!(tokens[0].input_ids()[1], 5);
}

#[test]
fn ids_beyond_the_vocabulary() {
    for fixture in TINY {
        let beyond = if fixture.name == "tiny-bert" {
            2048
        } else {
            2050
        };
        for key in [
            "query_prefix_id",
            "document_prefix_id",
            "mask_token_id",
            "pad_token_id",
        ] {
            let bytes = with_config(fixture, |config| {
                config.insert(key.to_owned(), json!(beyond));
            });
            let (range, found) = (format!("0 to {}", beyond - 1), format!("found {beyond}"));
            let key = format!("`{key}`");
            let parts = ["onnx_config.json", &key, "tokenizer.json", &range, &found];
            refused(build(bytes), "config_value", &parts);
        }
    }
}

#[test]
fn another_dimension() {
    let bytes = with_config(&TINY_BERT, |config| {
        config.insert("embedding_dim".to_owned(), json!(128));
    });
    let parts = [
        "onnx_config.json",
        "`embedding_dim`",
        "expected 32",
        "model.onnx",
        "found 128",
    ];
    refused(build(bytes), "config_value", &parts);
}

#[test]
fn token_types_that_contradict_the_graph() {
    for fixture in [&TINY_BERT, &TINY_MODERNBERT] {
        let has = fixture.name == "tiny-bert";
        let bytes = with_config(fixture, |config| {
            config.insert("uses_token_type_ids".to_owned(), json!(!has));
        });
        let (expected, found) = (format!("expected {has}"), format!("found {}", !has));
        let parts = [
            "onnx_config.json",
            "`uses_token_type_ids`",
            &expected,
            "model.onnx",
            &found,
        ];
        refused(build(bytes), "config_value", &parts);
        let bytes = with_config(fixture, |config| {
            config.remove("uses_token_type_ids");
        });
        let encoder = build(bytes).expect("the graph tells");
        assert_eq!(encoder.info().uses_token_type_ids, has);
    }
}

#[test]
fn lengths_without_room_for_special_tokens() {
    for key in ["query_length", "document_length"] {
        let bytes = with_config(&TINY_BERT, |config| {
            config.insert(key.to_owned(), json!(2));
        });
        let key = format!("`{key}`");
        let parts = ["onnx_config.json", &key, "expected 3", "found 2"];
        refused(build(bytes), "config_value", &parts);
    }
}

#[test]
fn expansion_without_a_mask_token() {
    let mut bytes = with_config(&TINY_BERT, |config| {
        config.remove("mask_token_id");
    });
    // A second token with the id of the mask token.
    bytes.tokenizer = String::from_utf8(bytes.tokenizer)
        .expect("the fixture is UTF-8")
        .replace("[MASK]", "[HOLE]")
        .into();
    let parts = [
        "onnx_config.json",
        "`mask_token_id`",
        "[MASK]",
        "found none",
    ];
    refused(build(bytes.clone()), "config_value", &parts);
    let encoder = EncoderBuilder::from_bytes(bytes)
        .with_query_expansion(QueryExpansion::Off)
        .build()
        .expect("no mask token is needed");
    assert_eq!(encoder.encode_query("").expect("it encodes").tokens(), 3);
}

/// Absent keys and null mean PyLate's defaults.
#[test]
fn defaults() {
    let keep = ["query_prefix", "document_prefix", "query_length"];
    let bytes = with_config(&TINY_BERT, |config| {
        config.retain(|key, _| keep.contains(&key.as_str()));
        config.insert("skiplist_words".to_owned(), Value::Null);
    });
    let encoder = build(bytes).expect("the model loads");
    let config = encoder.config();
    assert_eq!(config.document_length, 180);
    assert_eq!(config.skiplist_words.len(), 32);
    assert!(config.do_query_expansion && !config.attend_to_expansion_tokens);
    let query = encoder.tokenize(&["a"], TextKind::Query).expect("a text");
    assert_eq!(query[0].input_ids()[..3], [2, 5, query[0].input_ids()[2]]);
    assert_eq!(query[0].input_ids()[23], 4);
    assert!(!query[0].attention_mask()[23]);
}

#[test]
fn an_empty_prefix_adds_no_token() {
    let bytes = with_config(&TINY_BERT, |config| {
        config.insert("query_prefix".to_owned(), json!(""));
        config.insert("document_prefix".to_owned(), json!(""));
    });
    let encoder = build(bytes).expect("the model loads");
    let document = encoder.encode_document("").expect("it encodes");
    assert_eq!(document.tokens(), 2);
}
