//! What is read from each fixture.

use super::super::{Activation, Dense, DenseWeights, Format, Module, Residual, WeightsFile};
use super::described;
use crate::config::{
    ModelConfig, PrefixStyle, Preparation, SkiplistTexts, UnknownWords, punctuation,
};
use crate::normalization::Normalization;

/// The only module of the fixtures.
fn projection(folder: &str, weights: DenseWeights) -> Vec<Module> {
    vec![Module::Dense(Dense {
        folder: folder.to_owned(),
        weights,
        in_features: 64,
        out_features: 32,
        bias: false,
        activation: Activation::Identity,
        residual: Residual::None,
    })]
}

fn in_folder() -> Vec<Module> {
    let weights = DenseWeights::File("1_Dense/model.safetensors".to_owned());
    projection("1_Dense", weights)
}

fn lengths(config: &ModelConfig) -> [usize; 2] {
    [config.query_length, config.document_length]
}

fn prefixes(config: &ModelConfig) -> [&str; 2] {
    [&config.query_prefix, &config.document_prefix]
}

#[test]
fn pylate() {
    for (name, family, prefix, [expands, attends]) in [
        ("bert", "bert", ["[unused0]", "[unused1]"], [true, true]),
        ("modernbert", "modernbert", ["[Q] ", "[D] "], [true, false]),
        (
            "modernbert-f16",
            "modernbert",
            ["[Q] ", "[D] "],
            [false, false],
        ),
        ("xlmr", "xlm-roberta", ["[Q] ", "[D] "], [true, false]),
    ] {
        let found = described(&format!("hub/mv-pylate-{name}"));
        let config = &found.config;
        assert_eq!(found.format, Format::PyLate);
        assert_eq!(lengths(config), [24, 64]);
        assert_eq!(prefixes(config), prefix);
        assert_eq!(config.prefix_style, PrefixStyle::Token);
        assert_eq!(config.do_query_expansion, expands);
        assert_eq!(config.attend_to_expansion_tokens, attends);
        assert_eq!(config.skiplist_words, punctuation());
        assert_eq!(config.unknown_skiplist_words, UnknownWords::UnknownToken);
        assert_eq!(config.preparation, Preparation::Stripped);
        assert_eq!(found.modules, in_folder());
        assert_eq!(found.normalization, Normalization::L2);
        assert_eq!(found.tokenizer, "tokenizer.json");
        let weights = WeightsFile::Safetensors("model.safetensors".to_owned());
        assert_eq!(found.weights, [weights]);
        let transformer = found.transformer.expect("it has one");
        assert_eq!(transformer.model_type, family);
        assert_eq!(transformer.config, "config.json");
        assert_eq!(transformer.hidden_size, Some(64));
        // RoBERTa counts positions from 2.
        let positions = if name == "xlmr" { 206 } else { 208 };
        assert_eq!(transformer.positions, Some(positions));
    }
}

#[test]
fn sentence_transformers() {
    for (name, prefix, expands) in [
        ("bert-plain", ["", ""], false),
        ("lfm2", ["[Q] ", "[D] "], false),
        ("modernbert", ["[Q] ", "[D] "], true),
    ] {
        let found = described(&format!("hub/mv-st-{name}"));
        let config = &found.config;
        assert_eq!(found.format, Format::SentenceTransformers);
        assert_eq!(lengths(config), [24, 64]);
        assert_eq!(prefixes(config), prefix);
        assert_eq!(config.prefix_style, PrefixStyle::Text);
        assert_eq!(config.do_query_expansion, expands);
        assert!(!config.attend_to_expansion_tokens);
        assert_eq!(config.expansion_length, None);
        assert_eq!(config.skiplist_words, [".", ",", ";", ":", "!", "?"]);
        assert_eq!(config.skiplist_texts, SkiplistTexts::Documents);
        assert_eq!(config.unknown_skiplist_words, UnknownWords::Ignored);
        assert_eq!(config.preparation, Preparation::Verbatim);
        assert_eq!(found.modules, in_folder());
        // The module Normalize of these is one of sentence embeddings.
        assert_eq!(found.normalization, Normalization::Off);
        let unused = found.unused.iter().map(|unused| &*unused.file);
        assert!(
            unused
                .into_iter()
                .any(|file| file == "3_Normalize/config.json")
        );
    }
}

#[test]
fn stanford() {
    let found = described("hub/mv-stanford-bert");
    let config = &found.config;
    assert_eq!(found.format, Format::Stanford);
    assert_eq!(lengths(config), [24, 64]);
    assert_eq!(prefixes(config), ["[unused0]", "[unused1]"]);
    assert_eq!(config.prefix_style, PrefixStyle::Token);
    assert!(config.do_query_expansion && !config.attend_to_expansion_tokens);
    assert_eq!(config.skiplist_words, punctuation());
    assert_eq!(found.modules, projection("", DenseWeights::Transformer));
    assert_eq!(found.normalization, Normalization::L2);
    assert_eq!(config.file, "hub/mv-stanford-bert/artifact.metadata");
}

#[test]
fn exported() {
    let found = described("tiny-bert");
    assert_eq!(found.format, Format::Exported);
    assert_eq!(lengths(&found.config), [24, 64]);
    assert_eq!(found.weights[0].path(), "model.onnx");
    assert_eq!(found.modules, []);
    assert_eq!(found.dim(), Some(32));
    assert_eq!(found.transformer, None);
}
