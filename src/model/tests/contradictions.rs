//! Files that are wrong, missing, or contradict each other.

use serde_json::{Map, Value, json};

use super::super::{ModelFolder, describe};
use super::{folder, read};
use crate::tokenize::TextTokenizer;

const PYLATE: &str = "hub/mv-pylate-bert";
const MULTI: &str = "hub/mv-st-modernbert";
const STANFORD: &str = "hub/mv-stanford-bert";

/// A fixture with another value of a key.
fn with(name: &str, path: &str, key: &str, value: Value) -> ModelFolder {
    let found = folder(name);
    let mut map: Map<String, Value> = match found.content(path) {
        Some(json) => serde_json::from_slice(json).expect("it is an object"),
        None => Map::new(),
    };
    map.insert(key.to_owned(), value);
    found.with_file(path, Value::from(map).to_string())
}

fn without(folder: &ModelFolder, path: &str) -> ModelFolder {
    let rest = folder.paths().filter(|other| *other != path);
    rest.fold(
        ModelFolder::new(folder.location()),
        |less, path| match folder.content(path) {
            Some(content) => less.with_file(path, content),
            None => less.with_path(path),
        },
    )
}

/// Asserts an error with this code that says all of this.
fn refused(folder: &ModelFolder, code: &str, words: &[&str]) {
    let error = describe(folder).expect_err("it is refused");
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    for word in words {
        assert!(message.contains(word), "expected {word:?} in {message:?}");
    }
}

#[test]
fn widths_that_differ() {
    let dense = "1_Dense/config.json";
    let wider = with(PYLATE, dense, "in_features", json!(65));
    let words = [
        "/1_Dense/config.json",
        "`in_features`",
        "64",
        "65",
        "/config.json",
    ];
    refused(&wider, "config_value", &words);
    let stated = with(
        PYLATE,
        "config_sentence_transformers.json",
        "embedding_dim",
        json!(33),
    );
    let words = [
        "config_sentence_transformers.json",
        "1_Dense/config.json",
        "33",
    ];
    refused(&stated, "config_value", &words);
    let modules = json!([
        {"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Dense", "type": "pylate.models.Dense.Dense"},
        {"path": "2_Dense", "type": "pylate.models.Dense.Dense"},
    ]);
    let next = json!({
        "in_features": 31, "out_features": 8,
        "activation_function": "torch.nn.modules.linear.Identity",
    });
    let chain = folder(PYLATE)
        .with_file("modules.json", modules.to_string())
        .with_file("2_Dense/config.json", next.to_string())
        .with_path("2_Dense/model.safetensors");
    let words = ["2_Dense/config.json", "1_Dense/config.json", "31", "32"];
    refused(&chain, "config_value", &words);
}

#[test]
fn files_that_are_missing() {
    for (name, path, words) in [
        (
            PYLATE,
            "1_Dense/config.json",
            ["a Dense module", "1_Dense/config.json"],
        ),
        (
            PYLATE,
            "1_Dense/model.safetensors",
            ["the weights of a Dense", "1_Dense/"],
        ),
        (
            PYLATE,
            "tokenizer.json",
            ["the tokenizer", "tokenizer.json"],
        ),
        (PYLATE, "config.json", ["the transformer", "config.json"]),
        (
            PYLATE,
            "model.safetensors",
            ["the weights", "model.safetensors.index.json"],
        ),
        (
            MULTI,
            "modules.json",
            ["the list of modules", "modules.json"],
        ),
        (
            MULTI,
            "2_MultiVectorMask/config.json",
            ["the mask", "2_MultiVectorMask"],
        ),
        (
            STANFORD,
            "config.json",
            ["the configuration", "onnx_config.json"],
        ),
    ] {
        refused(&without(&folder(name), path), "missing_file", &words);
    }
    let only_torch = without(&folder(PYLATE), "model.safetensors").with_path("pytorch_model.bin");
    refused(
        &only_torch,
        "missing_file",
        &["pytorch_model.bin", "not read"],
    );
    let listed = folder(PYLATE);
    let unread = without(&listed, "modules.json").with_path("modules.json");
    refused(&unread, "missing_file", &["the content", "modules.json"]);
    refused(
        &ModelFolder::new("empty"),
        "missing_file",
        &["empty", "the configuration"],
    );
}

#[test]
fn other_kinds_of_models() {
    let modules = |classes: &[&str]| {
        let entry = |class: &&str| json!({"path": "", "type": class});
        Value::from(classes.iter().map(entry).collect::<Vec<_>>()).to_string()
    };
    let transformer = "sentence_transformers.base.modules.transformer.Transformer";
    for (class, words) in [
        (
            "sentence_transformers.models.WeightedLayerPooling",
            ["WeightedLayerPooling", "not implemented"],
        ),
        ("custom_st.Projector", ["custom_st.Projector", "known"]),
    ] {
        let listed = modules(&[transformer, class]);
        let multi = folder(MULTI).with_file("modules.json", listed.clone());
        refused(
            &multi,
            "config_value",
            &["modules.json", "`type`", words[0], words[1]],
        );
        let bare = without(&folder(PYLATE), "config_sentence_transformers.json");
        let bare = bare.with_file("modules.json", listed);
        refused(&bare, "config_value", &["modules.json", words[0], words[1]]);
    }
    for classes in [&[][..], &[transformer, transformer]] {
        let listed = folder(MULTI).with_file("modules.json", modules(classes));
        refused(&listed, "config_value", &["one transformer"]);
    }
    let path = "config_sentence_transformers.json";
    let other = with(MULTI, path, "model_type", json!("Anything"));
    refused(
        &other,
        "config_value",
        &[path, "`model_type`", "Anything", "`SparseEncoder`"],
    );
    // Modules of one kind in a model of another.
    for (model_type, words) in [
        ("SentenceTransformer", ["modules.json", "in this place"]),
        (
            "SparseEncoder",
            ["sentence_bert_config.json", "`fill-mask`"],
        ),
        ("CrossEncoder", ["modules.json", "in this place"]),
    ] {
        let other = with(MULTI, path, "model_type", json!(model_type));
        refused(&other, "config_value", &words);
    }
}

#[test]
fn values_that_are_wrong() {
    let text = "sentence_bert_config.json";
    let mask = "2_MultiVectorMask/config.json";
    let dense = "1_Dense/config.json";
    let st = "config_sentence_transformers.json";
    let expansion = |key: &str, value: Value| {
        let mut all = json!({"strategy": "fixed", "attend": false, "token": null, "length": 24});
        all[key] = value;
        all
    };
    for (path, key, value, word) in [
        (text, "document_length", json!(0), "whole number"),
        (text, "document_length", json!("64"), "whole number"),
        (text, "query_length", json!(23), "24 or more"),
        (text, "query_expansion", json!(true), "an object"),
        (
            text,
            "query_expansion",
            expansion("strategy", json!("max")),
            "`fixed` or `min`",
        ),
        (
            text,
            "query_expansion",
            expansion("length", Value::Null),
            "`length`",
        ),
        (
            text,
            "query_expansion",
            expansion("attend", json!(1)),
            "true or false",
        ),
        (
            text,
            "query_expansion",
            expansion("more", json!(1)),
            "`more`",
        ),
        (
            text,
            "transformer_task",
            json!("retrieval"),
            "`feature-extraction`",
        ),
        (
            text,
            "modality_config",
            json!({"image": {}}),
            "a model of texts",
        ),
        (
            text,
            "processing_kwargs",
            json!({"text": {"max_length": 5}}),
            "none for texts",
        ),
        (mask, "skiplist_words", json!("."), "a list of strings"),
        (
            mask,
            "keep_only_token_ids",
            json!([-1]),
            "a list of token ids",
        ),
        (mask, "skiplist_tasks", json!(1), "a list of strings"),
        (
            dense,
            "module_input_name",
            json!("sentence_embedding"),
            "`token_embeddings`",
        ),
        (dense, "activation_function", json!("numpy.tanh"), "Tanh"),
        (dense, "in_features", Value::Null, "a number of columns"),
        (st, "prompts", json!(["a"]), "an object"),
        (st, "prompts", json!({"query": 1}), "a string"),
        (
            "3_Normalize/config.json",
            "module_input_name",
            json!("pooled"),
            "`token_embeddings`",
        ),
        ("config.json", "model_type", Value::Null, "the family"),
        ("config.json", "hidden_size", json!("64"), "whole number"),
        ("tokenizer_config.json", "mask_token", json!(4), "a token"),
        (
            "tokenizer_config.json",
            "padding_side",
            json!("up"),
            "`left` or `right`",
        ),
        (
            "tokenizer_config.json",
            "model_max_length",
            json!(-1),
            "a number of tokens",
        ),
        ("added_tokens.json", "[Q]", json!("1"), "a token id"),
    ] {
        refused(
            &with(MULTI, path, key, value),
            "config_value",
            &[path, word],
        );
    }
    for path in ["modules.json", "config.json", st, text, dense] {
        let broken = folder(MULTI).with_file(path, "{");
        refused(&broken, "config_syntax", &[path]);
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
    for path in ["modules.json", "config.json"] {
        let replaced = folder(MULTI).with_file(path, pointer);
        refused(
            &replaced,
            "config_syntax",
            &[path, "found a Git LFS pointer"],
        );
    }
    let page = folder(MULTI).with_file(st, "<!DOCTYPE html>");
    refused(&page, "config_syntax", &[st, "found a web page"]);
    let marker = with(STANFORD, "artifact.metadata", "query_token_id", json!(1));
    refused(&marker, "config_value", &["artifact.metadata", "a string"]);
}

#[test]
fn pylate_states_the_activation_of_a_layer() {
    let silent = with(
        PYLATE,
        "1_Dense/config.json",
        "activation_function",
        Value::Null,
    );
    refused(
        &silent,
        "config_value",
        &["1_Dense/config.json", "`activation_function`"],
    );
}

/// The error of the tokenizer of a fixture with another value of a key.
fn tokenizer_error(name: &str, path: &str, key: &str, value: Value) -> String {
    let description = describe(&with(name, path, key, value)).expect("it is described");
    let json = read(name, "tokenizer.json");
    let found = TextTokenizer::from_json("tokenizer.json", &json, &description.config);
    found.err().expect("it is refused").to_string()
}

#[test]
fn tokenizers_that_are_described_wrongly() {
    let own = "tokenizer_config.json";
    for (name, path, key, value, words) in [
        (
            PYLATE,
            own,
            "do_lower_case",
            json!(false),
            [own, "tokenizer.json", "true"],
        ),
        (
            PYLATE,
            own,
            "padding_side",
            json!("left"),
            [own, "`padding_side`", "right"],
        ),
        (
            PYLATE,
            "added_tokens.json",
            "[unused0]",
            json!(6),
            ["5", "[unused0]", "tokenizer.json"],
        ),
        (
            MULTI,
            "added_tokens.json",
            "[new]",
            json!(2000),
            ["1200", "[new]", "tokenizer.json"],
        ),
    ] {
        let message = tokenizer_error(name, path, key, value);
        for word in words {
            assert!(message.contains(word), "expected {word:?} in {message:?}");
        }
    }
    let expansion = json!({"strategy": "fixed", "length": 24, "token": "[absent]"});
    let message = tokenizer_error(
        MULTI,
        "sentence_bert_config.json",
        "query_expansion",
        expansion,
    );
    assert!(message.contains("[absent]"), "{message}");
}
