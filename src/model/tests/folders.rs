//! Folders that differ from the fixtures.

use serde_json::json;

use super::super::{Format, Module, WeightsFile, describe};
use super::{described, folder};
use crate::config::{PrefixStyle, SkiplistTexts, punctuation};
use crate::normalization::Normalization;
use crate::pool::Pooling;

const MULTI: &str = "hub/mv-st-modernbert";

#[test]
fn a_graph_beside_a_projection() {
    let found = described("failing/01-bare-onnx-beside-dense");
    assert_eq!(found.format, Format::PyLate);
    assert_eq!(found.dim(), Some(32));
    assert_eq!(found.config.document_length, 150);
    let graph = WeightsFile::Onnx("onnx/model.onnx".to_owned());
    assert_eq!(found.weights, [graph]);
    assert!(matches!(&found.modules[..], [Module::Dense(dense)] if dense.in_features == 64));
}

#[test]
fn a_save_of_sentence_transformers_6_from_pylate() {
    let found = described("failing/02-mve-6.2-config");
    let config = &found.config;
    assert_eq!(found.format, Format::SentenceTransformers);
    assert_eq!(config.query_prefix, "[Q] ");
    assert_eq!(config.document_prefix, "[D] ");
    assert_eq!(config.prefix_style, PrefixStyle::Text);
    assert_eq!([config.query_length, config.document_length], [32, 150]);
    assert!(config.do_query_expansion);
    assert_eq!(config.skiplist_words, punctuation());
    assert_eq!(found.normalization, Normalization::L2);
    assert!(matches!(&found.modules[..], [Module::Dense(dense)] if dense.out_features == 32));
}

#[test]
fn lengths_that_are_the_models_maximum() {
    let text = |value: serde_json::Value| {
        let changed = folder(MULTI).with_file("sentence_bert_config.json", value.to_string());
        describe(&changed).expect("it is described").config
    };
    // The tokenizer has at most 200 tokens, the transformer 208.
    let config = text(json!({}));
    assert_eq!([config.query_length, config.document_length], [200, 200]);
    assert!(!config.do_query_expansion);
    let config = text(json!({"max_seq_length": 100}));
    assert_eq!([config.query_length, config.document_length], [100, 100]);
    let config = text(json!({"max_seq_length": 1000}));
    assert_eq!(config.document_length, 208);

    let grows = json!({"strategy": "min", "length": 30, "attend": true, "token": "</s>"});
    let config = text(json!({"query_length": 40, "query_expansion": grows}));
    assert_eq!(config.query_length, 40);
    assert_eq!(config.expansion_length, Some(30));
    assert_eq!(config.expansion_token.as_deref(), Some("</s>"));
    assert!(config.do_query_expansion && config.attend_to_expansion_tokens);
}

#[test]
fn modules_of_many_kinds() {
    let base = "sentence_transformers.base.modules";
    let own = "sentence_transformers.multi_vector_encoder.modules";
    let modules = json!([
        {"path": "", "type": format!("{base}.transformer.Transformer")},
        {"path": "1_Dense", "type": format!("{base}.dense.Dense")},
        {"path": "2_MultiVectorMask", "type": format!("{own}.multi_vector_mask.MultiVectorMask")},
        {"path": "3_Normalize", "type": format!("{base}.normalize.Normalize")},
        {"path": "4_Pool", "type": format!("{own}.token_pooling.HierarchicalTokenPooling")},
    ]);
    let mask = json!({
        "skiplist_words": ["."], "skiplist_tasks": ["query", "document"],
        "keep_only_token_ids": [7, 5],
    });
    let normalize = json!({"module_input_name": "token_embeddings"});
    let pool = json!({"pool_factor": 3, "num_protected_tokens": 2});
    let changed = folder(MULTI)
        .with_file("modules.json", modules.to_string())
        .with_file("2_MultiVectorMask/config.json", mask.to_string())
        .with_file("3_Normalize/config.json", normalize.to_string())
        .with_file("4_Pool/config.json", pool.to_string());
    let found = describe(&changed).expect("it is described");
    assert_eq!(found.config.skiplist_texts, SkiplistTexts::All);
    assert_eq!(found.config.keep_only_token_ids, [7, 5]);
    assert_eq!(found.normalization, Normalization::L2);
    assert_eq!(found.pooling, Some(Pooling::by(3).with_protected_tokens(2)));
    assert_eq!(found.modules.len(), 1);
}

#[test]
fn expansion_without_a_mask_is_seen_by_nobody() {
    let base = "sentence_transformers.base.modules";
    let modules = json!([
        {"path": "", "type": format!("{base}.transformer.Transformer")},
        {"path": "1_Dense", "type": format!("{base}.dense.Dense")},
    ]);
    let changed = folder(MULTI).with_file("modules.json", modules.to_string());
    let config = describe(&changed).expect("it is described").config;
    assert!(!config.do_query_expansion);
    assert_eq!(config.query_length, 24);
    assert!(config.skiplist_words.is_empty());
}

#[test]
fn what_has_no_effect_is_listed() {
    let changed = folder("hub/mv-pylate-bert")
        .with_path("README.md")
        .with_path("openvino/model.xml")
        .with_path("onnx/model_O3.onnx")
        .with_path("onnx/model.onnx")
        .with_path("model_quantized.onnx");
    let found = describe(&changed).expect("it is described");
    let weights: Vec<_> = found.weights.iter().map(WeightsFile::path).collect();
    let expected = ["model.safetensors", "onnx/model.onnx", "onnx/model_O3.onnx"];
    assert_eq!(weights[..3], expected);
    assert_eq!(weights[3..], ["model_quantized.onnx"]);
    let unused: Vec<_> = found
        .unused
        .iter()
        .map(|unused| (&*unused.file, unused.key.as_deref()))
        .collect();
    for file in ["README.md", "openvino/model.xml", "reference.json"] {
        assert!(unused.contains(&(file, None)), "{unused:?}");
    }
    let key = Some("max_seq_length");
    assert!(unused.contains(&("sentence_bert_config.json", key)));
    assert!(
        !unused
            .iter()
            .any(|(file, _)| *file == "tokenizer_config.json")
    );
}

#[test]
fn the_transformer_may_have_a_folder() {
    let modules = json!([
        {"path": "0_Transformer/", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Dense", "type": "pylate.models.Dense.Dense"},
    ]);
    let own = folder("hub/mv-pylate-bert");
    let config = own.content("config.json").expect("it has content").to_vec();
    let changed = super::super::ModelFolder::new("nested")
        .with_file("modules.json", modules.to_string())
        .with_file(
            "config_sentence_transformers.json",
            r#"{"model_type": "ColBERT"}"#,
        )
        .with_file("0_Transformer/config.json", config)
        .with_file(
            "0_Transformer/sentence_bert_config.json",
            r#"{"do_lower_case": true}"#,
        )
        .with_file(
            "0_Transformer/tokenizer_config.json",
            r#"{"mask_token": {"content": "[M]"}}"#,
        )
        .with_file(
            "0_Transformer/special_tokens_map.json",
            r#"{"mask_token": "<m>", "eos_token": "</s>"}"#,
        )
        .with_path("0_Transformer/tokenizer.json")
        .with_path("0_Transformer/model.safetensors.index.json")
        .with_path("0_Transformer/model-00001-of-00002.safetensors")
        .with_file(
            "1_Dense/config.json",
            own.content("1_Dense/config.json").expect("it has content"),
        )
        .with_path("1_Dense/model.safetensors");
    let found = describe(&changed).expect("it is described");
    assert_eq!(found.tokenizer, "0_Transformer/tokenizer.json");
    let index = "0_Transformer/model.safetensors.index.json".to_owned();
    assert_eq!(found.weights, [WeightsFile::SafetensorsIndex(index)]);
    assert!(found.config.do_lower_case);
    // PyLate's defaults.
    assert_eq!(
        [found.config.query_length, found.config.document_length],
        [32, 180]
    );
    assert_eq!(found.config.query_prefix, "[Q] ");
    assert_eq!(found.config.skiplist_words, punctuation());
    let facts = &found.config.tokenizer;
    assert_eq!(facts.mask_token.as_deref(), Some("[M]"));
    assert_eq!(facts.eos_token.as_deref(), Some("</s>"));
    assert_eq!(found.unused, []);
}
