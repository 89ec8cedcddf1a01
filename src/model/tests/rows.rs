//! Texts have as many kept tokens as their references have rows.

use safetensors::SafeTensors;
use serde::Deserialize;

use super::{described, read};
use crate::config::TextKind;
use crate::tokenize::{Layout, TextTokenizer, TruncationPolicy};

#[derive(Deserialize)]
struct Reference {
    queries: Vec<String>,
    documents: Vec<String>,
}

fn check(name: &str) {
    let description = described(name);
    let config = &description.config;
    let json = read(name, &description.tokenizer);
    let tokenizer = TextTokenizer::from_json("tokenizer.json", &json, config)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let reference: Reference =
        serde_json::from_slice(&read(name, "reference.json")).expect("it is valid");
    let rows = read(name, "reference.safetensors");
    let rows = SafeTensors::deserialize(&rows).expect("it is valid");
    let kinds = [
        (TextKind::Query, "queries", reference.queries),
        (TextKind::Document, "documents", reference.documents),
    ];
    for (kind, key, texts) in kinds {
        let length = config.length(kind);
        let is_expanded = kind == TextKind::Query && config.do_query_expansion;
        let layout = Layout {
            kind,
            length,
            expanded: is_expanded.then(|| config.expanded_length(length)),
            policy: TruncationPolicy::Truncate,
            prompt: None,
            prompt_tokens: 0,
        };
        for (at, text) in texts.iter().enumerate() {
            let found = tokenizer
                .tokenize(at, text, &layout)
                .expect("it is tokenized");
            let kept = found.kept().iter().filter(|&&kept| kept).count();
            let expected = rows.tensor(&format!("{key}.{at}")).expect("it is there");
            assert_eq!(kept, expected.shape()[0], "{name}: {key} {at}: {text:?}");
            assert_eq!(Some(expected.shape()[1]), description.dim());
            for token in 0..found.len() {
                if let Some(span) = found.span(token) {
                    assert!(text.get(span).is_some(), "{name}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn pylate() {
    for name in ["bert", "modernbert", "modernbert-f16", "xlmr"] {
        check(&format!("hub/mv-pylate-{name}"));
    }
}

#[test]
fn sentence_transformers() {
    for name in ["bert-plain", "lfm2", "modernbert"] {
        check(&format!("hub/mv-st-{name}"));
    }
}

#[test]
fn stanford() {
    check("hub/mv-stanford-bert");
}
