//! Layouts that PyLate does not have.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::{Layout, TextTokenizer, TokenRole, TokenizedText, TruncationPolicy};
use crate::config::{
    ModelConfig, PrefixStyle, Preparation, Side, SkiplistTexts, TextKind, UnknownWords,
};

const MODELS: [&str; 2] = ["tiny-bert", "tiny-modernbert"];

fn file(model: &str) -> Vec<u8> {
    let root = env!("CARGO_MANIFEST_DIR");
    let path = format!("{root}/tests/fixtures/{model}/tokenizer.json");
    std::fs::read(path).expect("the fixture is there")
}

/// As a save of sentence-transformers 6 without prompts and skiplist.
fn plain() -> ModelConfig {
    ModelConfig {
        query_length: 24,
        document_length: 64,
        prefix_style: PrefixStyle::Text,
        preparation: Preparation::Verbatim,
        unknown_skiplist_words: UnknownWords::Ignored,
        ..ModelConfig::empty("config.json")
    }
}

fn tokenizer(model: &str, config: &ModelConfig) -> TextTokenizer {
    let found = TextTokenizer::from_json("tokenizer.json", &file(model), config);
    found.unwrap_or_else(|error| panic!("{error}"))
}

fn layout(config: &ModelConfig, kind: TextKind) -> Layout {
    let length = config.length(kind);
    let is_expanded = kind == TextKind::Query && config.do_query_expansion;
    Layout {
        kind,
        length,
        expanded: is_expanded.then(|| config.expanded_length(length)),
        policy: TruncationPolicy::Truncate,
        prompt: None,
        prompt_tokens: 0,
    }
}

fn tokens(model: &str, config: &ModelConfig, kind: TextKind, text: &str) -> TokenizedText {
    let found = tokenizer(model, config).tokenize(0, text, &layout(config, kind));
    found.expect("it is tokenized")
}

proptest! {
    /// A prompt gives the tokens of the whole text, and spans of the text alone.
    #[test]
    fn a_prompt_is_a_part_of_the_text(
        prompt in "(query: |Ünï: |\\[Q\\] |a |İ)",
        text in "\\PC{0,30}",
    ) {
        for model in MODELS {
            let config = ModelConfig { query_prefix: prompt.clone(), ..plain() };
            let found = tokens(model, &config, TextKind::Query, &text);
            let whole = tokens(model, &plain(), TextKind::Query, &format!("{prompt}{text}"));
            prop_assert_eq!(found.input_ids(), whole.input_ids());
            prop_assert_eq!(found.attention_mask(), whole.attention_mask());
            for token in 0..found.len() {
                match (found.span(token), whole.span(token)) {
                    (Some(span), Some(of_whole)) => {
                        prop_assert!(text.get(span.clone()).is_some());
                        prop_assert_eq!(span.end, of_whole.end - prompt.len());
                        let start = of_whole.start.saturating_sub(prompt.len());
                        prop_assert_eq!(span.start, start);
                    }
                    (None, Some(of_whole)) => {
                        prop_assert_eq!(found.roles()[token], TokenRole::Prefix);
                        prop_assert!(of_whole.end <= prompt.len());
                    }
                    (span, of_whole) => prop_assert_eq!(span, of_whole),
                }
            }
            let of_text = found.roles().iter().filter(|&&role| role == TokenRole::Text);
            prop_assert_eq!(found.truncation().kept_tokens, of_text.count());
        }
    }
}

#[test]
fn a_prompt_counts_towards_the_length() {
    let config = ModelConfig {
        query_prefix: "x y ".to_owned(),
        query_length: 6,
        ..plain()
    };
    let found = tokens("tiny-bert", &config, TextKind::Query, "a b c d");
    let roles = [
        TokenRole::Special,
        TokenRole::Prefix,
        TokenRole::Prefix,
        TokenRole::Text,
        TokenRole::Text,
        TokenRole::Special,
    ];
    assert_eq!(found.roles(), roles);
    assert!(found.kept().iter().all(|&kept| kept));
    let cut = found.truncation();
    assert_eq!([cut.kept_tokens, cut.dropped_tokens], [2, 2]);
    let strict = Layout {
        policy: TruncationPolicy::Error,
        ..layout(&config, TextKind::Query)
    };
    let error = tokenizer("tiny-bert", &config)
        .tokenize(3, "a b c d", &strict)
        .expect_err("it is too long");
    let expected = "text 3: expected at most 2 tokens, found 4";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn expansion_to_a_lower_length_keeps_longer_queries_whole() {
    let config = ModelConfig {
        do_query_expansion: true,
        expansion_length: Some(6),
        query_length: 10,
        ..plain()
    };
    let count = |text| {
        let found = tokens("tiny-bert", &config, TextKind::Query, text);
        let added = found
            .roles()
            .iter()
            .filter(|&&role| role == TokenRole::Expansion);
        [found.len(), added.count()]
    };
    assert_eq!(count("a"), [6, 3]);
    assert_eq!(count("a b c d"), [6, 0]);
    assert_eq!(count("a b c d e f"), [8, 0]);
    assert_eq!(count("a b c d e f g h i j"), [10, 0]);
    let attended = ModelConfig {
        attend_to_expansion_tokens: true,
        expansion_token: Some("[SEP]".to_owned()),
        ..config
    };
    let found = tokens("tiny-bert", &attended, TextKind::Query, "a");
    assert_eq!(found.input_ids()[2..], [3; 4]);
    assert!(found.attention_mask().iter().all(|&attended| attended));
}

/// The vocabulary's spelling of each kept token.
fn kept(config: &ModelConfig, kind: TextKind, text: &str) -> Vec<String> {
    let tokenizer = tokenizer("tiny-bert", config);
    let found = tokenizer
        .tokenize(0, text, &layout(config, kind))
        .expect("it is tokenized");
    let ids = found.input_ids().iter().zip(found.kept());
    let kept = ids.filter(|&(_, &kept)| kept);
    kept.filter_map(|(&id, _)| tokenizer.token(id)).collect()
}

#[test]
fn skiplists_of_either_kind_of_text() {
    let text = "a . b !";
    for (texts, [query, document]) in [
        (SkiplistTexts::Documents, [6, 5]),
        (SkiplistTexts::Queries, [5, 6]),
        (SkiplistTexts::All, [5, 5]),
    ] {
        let config = ModelConfig {
            skiplist_words: vec![".".to_owned()],
            skiplist_texts: texts,
            ..plain()
        };
        assert_eq!(kept(&config, TextKind::Query, text).len(), query);
        assert_eq!(kept(&config, TextKind::Document, text).len(), document);
    }
}

#[test]
fn words_that_the_vocabulary_lacks() {
    let skips = |unknown| ModelConfig {
        skiplist_words: vec!["absent word".to_owned()],
        unknown_skiplist_words: unknown,
        ..plain()
    };
    let text = "a \u{4e1a}";
    let all = ["[CLS]", "a", "[UNK]", "[SEP]"];
    let config = skips(UnknownWords::Ignored);
    assert_eq!(kept(&config, TextKind::Document, text), all);
    let config = skips(UnknownWords::UnknownToken);
    assert_eq!(
        kept(&config, TextKind::Document, text),
        ["[CLS]", "a", "[SEP]"]
    );
}

#[test]
fn documents_may_keep_some_tokens_alone() {
    let config = ModelConfig {
        keep_only_token_ids: vec![3, 2],
        ..plain()
    };
    assert_eq!(kept(&config, TextKind::Document, "a b"), ["[CLS]", "[SEP]"]);
    assert_eq!(kept(&config, TextKind::Query, "a b").len(), 4);
}

#[test]
fn verbatim_texts_keep_their_spaces_and_are_lower_cased_by_the_normalizer() {
    let ids = |config: &ModelConfig, text: &str| {
        let found = tokens("tiny-modernbert", config, TextKind::Query, text);
        found.input_ids().to_vec()
    };
    assert_ne!(ids(&plain(), " a "), ids(&plain(), "a"));
    let stripped = ModelConfig {
        preparation: Preparation::Stripped,
        ..plain()
    };
    assert_eq!(ids(&stripped, " a "), ids(&plain(), "a"));
    let lower = ModelConfig {
        do_lower_case: true,
        ..plain()
    };
    assert_eq!(ids(&lower, "ABC [MASK]"), ids(&plain(), "abc [MASK]"));
    // A final sigma is none for the normalizer.
    assert_eq!(ids(&lower, "ΑΣ"), ids(&plain(), "ασ"));
    let found = tokens("tiny-modernbert", &lower, TextKind::Query, "İA");
    assert_eq!(found.span(found.len() - 2), Some(2..3));
}

#[test]
fn tokens_of_other_files_are_added() {
    let json = file("tiny-modernbert");
    let value: serde_json::Value = serde_json::from_slice(&json).expect("it is valid");
    let largest = tokenizer("tiny-modernbert", &plain()).largest_id();
    let mut config = plain();
    config.tokenizer.added_tokens = BTreeMap::from([
        ("[one]".to_owned(), largest + 1),
        ("[two]".to_owned(), largest + 2),
    ]);
    let found = tokens("tiny-modernbert", &config, TextKind::Query, "a[two]");
    assert!(found.input_ids().contains(&(largest + 2)));
    assert_ne!(value["added_tokens"], json!([]));
}

#[test]
fn facts_of_the_tokenizer() {
    let mut config = plain();
    config.query_length = 4;
    config.tokenizer.truncation_side = Some(Side::Left);
    let found = tokens("tiny-bert", &config, TextKind::Query, "a b c");
    assert_eq!(found.span(1), Some(2..3));
    // Without expansion and marker, padding on the left changes nothing.
    config.tokenizer.padding_side = Some(Side::Left);
    config.tokenizer.pad_token = Some("[SEP]".to_owned());
    assert_eq!(tokenizer("tiny-bert", &config).pad_id(), 3);
    config.tokenizer.mask_token = Some("[PAD]".to_owned());
    assert_eq!(tokenizer("tiny-bert", &config).mask_id().ok(), Some(0));
}
