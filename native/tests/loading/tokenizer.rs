//! Tokenizers that are invalid or belong to another model.

use multivec::{Precision, TextKind};
use serde_json::{Value, json};

use multivec_testing::models::{build, bytes, edited, refused, with_config};
use multivec_testing::{TINY, TINY_BERT};

#[test]
fn not_a_tokenizer() {
    for text in [
        "",
        "{",
        "[]",
        "{}",
        "{\"model\": {\"type\": \"WordPiece\"}}",
    ] {
        let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
        bytes.tokenizer = text.into();
        let parts = ["tokenizer.json", "Hugging Face's JSON format"];
        refused(build(bytes), "invalid_tokenizer", &parts);
    }
}

#[test]
fn truncated_at_every_stage() {
    for fixture in TINY {
        let whole = fixture.tokenizer;
        for part in 1..12 {
            let mut bytes = bytes(fixture, Precision::Fp32);
            bytes.tokenizer.truncate(whole.len() * part / 12);
            refused(build(bytes), "invalid_tokenizer", &["tokenizer.json"]);
        }
    }
}

#[test]
fn a_broken_decoder_or_normalizer() {
    let table = |table: &str| json!({"type": "Precompiled", "precompiled_charsmap": table});
    let sequence = json!({"type": "Sequence", "normalizers": [table("AAAA////")]});
    for (key, value) in [
        ("decoder", json!({"type": "Telepathy"})),
        ("decoder", json!(5)),
        ("normalizer", json!({"type": "Telepathy"})),
        ("normalizer", table("no base64")),
        ("normalizer", table("/////w==")),
        ("normalizer", json!({"type": "Precompiled"})),
        ("normalizer", sequence),
    ] {
        let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
        bytes.tokenizer = edited(TINY_BERT.tokenizer, |tokenizer| {
            tokenizer.insert(key.to_owned(), value);
        });
        refused(build(bytes), "invalid_tokenizer", &["tokenizer.json"]);
    }
    // Syntax errors within the decoder.
    for broken in ["{\"type\": ]", "1e999", "[[", &"[".repeat(500)] {
        let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
        bytes.tokenizer = format!("{{\"version\": \"1.0\", \"decoder\": {broken}").into();
        refused(
            build(bytes),
            "invalid_tokenizer",
            &["tokenizer.json", "line 1"],
        );
    }
}

#[test]
fn more_ids_than_the_graph_has_rows() {
    for fixture in TINY {
        let mut bytes = bytes(fixture, Precision::Fp32);
        bytes.tokenizer = edited(fixture.tokenizer, |tokenizer| {
            let token = json!({
                "id": 2050, "content": "[extra]", "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true,
            });
            let added = tokenizer["added_tokens"].as_array_mut();
            added.expect("a list of tokens").push(token);
            // Added tokens are numbered after the vocabulary, without gaps.
            if fixture.name == "tiny-bert" {
                let vocabulary = &mut tokenizer["model"]["vocab"];
                vocabulary["firstfiller"] = json!(2048);
                vocabulary["secondfiller"] = json!(2049);
            }
        });
        let parts = [
            "model.onnx",
            "`input_ids`",
            "ids up to 2050",
            "tokenizer",
            "found",
        ];
        refused(build(bytes), "model_mismatch", &parts);
    }
}

#[test]
fn an_empty_vocabulary() {
    let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
    bytes.tokenizer = edited(TINY_BERT.tokenizer, |tokenizer| {
        tokenizer["model"]["vocab"] = json!({});
        tokenizer["added_tokens"] = json!([]);
        tokenizer["post_processor"] = Value::Null;
    });
    let parts = ["tokenizer.json", "expected a vocabulary", "empty"];
    refused(build(bytes), "invalid_tokenizer", &parts);
}

#[test]
fn padding_on_the_left() {
    let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
    bytes.tokenizer = edited(TINY_BERT.tokenizer, |tokenizer| {
        let padding = json!({
            "strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
        });
        tokenizer.insert("padding".to_owned(), padding);
    });
    let parts = ["tokenizer.json", "padding on the right", "on the left"];
    refused(build(bytes), "invalid_tokenizer", &parts);
}

/// Exported tokenizers often keep the settings of their last use.
#[test]
fn the_tokenizers_own_padding_and_truncation_are_ignored() {
    let plain = build(bytes(&TINY_BERT, Precision::Fp32)).expect("the model loads");
    let mut bytes = bytes(&TINY_BERT, Precision::Fp32);
    bytes.tokenizer = edited(TINY_BERT.tokenizer, |tokenizer| {
        let padding = json!({
            "strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
        });
        let truncation = json!({
            "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0,
        });
        tokenizer.insert("padding".to_owned(), padding);
        tokenizer.insert("truncation".to_owned(), truncation);
    });
    let encoder = build(bytes).expect("the model loads");
    let texts = [
        "short",
        "a text with rather more than eight tokens in it, and padding",
    ];
    for kind in [TextKind::Query, TextKind::Document] {
        assert_eq!(
            encoder.tokenize(&texts, kind).expect("texts tokenize"),
            plain.tokenize(&texts, kind).expect("texts tokenize"),
        );
    }
}

#[test]
fn a_text_may_have_no_tokens() {
    let mut bytes = with_config(&TINY_BERT, |config| {
        config.insert("query_prefix".to_owned(), json!(""));
        config.insert("document_prefix".to_owned(), json!(""));
    });
    bytes.tokenizer = edited(TINY_BERT.tokenizer, |tokenizer| {
        tokenizer.insert("post_processor".to_owned(), Value::Null);
    });
    let encoder = build(bytes).expect("the model loads");
    let found = encoder
        .encode_documents(&["", "paris", "\u{0}"])
        .expect("texts encode");
    let rows: Vec<usize> = found.iter().map(|found| found.tokens()).collect();
    assert_eq!((rows[0], rows[2]), (0, 0));
    assert!(rows[1] > 0);
    assert!(found.iter().all(|found| found.dim() == 32));
}
