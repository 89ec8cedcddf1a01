//! Tokenization of any text at any length.

use multivec::{EncodeOptions, Encoder, QueryExpansion, TextKind, TokenRole, TokenizedText};
use proptest::prelude::*;

use crate::inputs::{cases, encoders, text, tokenizing_encoders};

const KINDS: [TextKind; 2] = [TextKind::Query, TextKind::Document];

fn with_lengths(encoder: &Encoder, length: usize, expansion: QueryExpansion) -> Encoder {
    let options = EncodeOptions::default()
        .with_query_length(length)
        .with_document_length(length)
        .with_query_expansion(expansion);
    encoder.with_options(&options).expect("the length is valid")
}

fn tokenized(encoder: &Encoder, text: &str, kind: TextKind) -> TokenizedText {
    let mut found = encoder.tokenize(&[text], kind).expect("a text tokenizes");
    found.remove(0)
}

/// Ids of the tokens from the text.
fn text_ids(tokens: &TokenizedText) -> Vec<u32> {
    let ids = tokens.input_ids().iter().zip(tokens.roles());
    ids.filter(|(_, role)| **role == TokenRole::Text)
        .map(|(&id, _)| id)
        .collect()
}

fn count(tokens: &TokenizedText, role: TokenRole) -> usize {
    tokens
        .roles()
        .iter()
        .filter(|&&found| found == role)
        .count()
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn lists_fit_together(text in text(), length in 3..65usize) {
        for encoder in tokenizing_encoders() {
            let encoder = with_lengths(encoder, length, QueryExpansion::Model);
            for kind in KINDS {
                let tokens = tokenized(&encoder, &text, kind);
                prop_assert!(tokens.len() <= length);
                prop_assert_eq!(tokens.attention_mask().len(), tokens.len());
                prop_assert_eq!(tokens.kept().len(), tokens.len());
                prop_assert_eq!(tokens.roles().len(), tokens.len());
                prop_assert_eq!(count(&tokens, TokenRole::Special), 2);
                prop_assert_eq!(count(&tokens, TokenRole::Prefix), 1);
                prop_assert_eq!(tokens.roles()[1], TokenRole::Prefix);
                let truncation = tokens.truncation();
                prop_assert_eq!(count(&tokens, TokenRole::Text), truncation.kept_tokens);
                if truncation.is_truncated() {
                    prop_assert_eq!(truncation.kept_tokens, length - 3);
                }
                if kind == TextKind::Query {
                    prop_assert_eq!(tokens.len(), length);
                    prop_assert!(tokens.kept().iter().all(|&kept| kept));
                } else {
                    prop_assert_eq!(count(&tokens, TokenRole::Expansion), 0);
                    prop_assert!(tokens.attention_mask().iter().all(|&bit| bit));
                }
            }
        }
    }

    #[test]
    fn truncation_keeps_the_start_and_counts_what_is_cut_off(
        text in text(),
        lengths in (3..65usize, 3..65usize),
    ) {
        let (short, long) = (lengths.0.min(lengths.1), lengths.0.max(lengths.1));
        for encoder in tokenizing_encoders() {
            for kind in KINDS {
                let at = |length| {
                    let encoder = with_lengths(encoder, length, QueryExpansion::Off);
                    tokenized(&encoder, &text, kind)
                };
                let (short, long) = (at(short), at(long));
                let total = |tokens: &TokenizedText| {
                    tokens.truncation().kept_tokens + tokens.truncation().dropped_tokens
                };
                prop_assert_eq!(total(&short), total(&long));
                prop_assert!(text_ids(&long).starts_with(&text_ids(&short)));
                prop_assert_eq!(short.input_ids().last(), long.input_ids().last());
                prop_assert_eq!(&short.input_ids()[..2], &long.input_ids()[..2]);
            }
        }
    }

    #[test]
    fn spans_are_parts_of_the_text(text in text()) {
        for encoder in tokenizing_encoders() {
            for kind in KINDS {
                let tokens = tokenized(encoder, &text, kind);
                let mut start = 0;
                for at in 0..tokens.len() {
                    let Some(span) = tokens.span(at) else {
                        prop_assert_ne!(tokens.roles()[at], TokenRole::Text);
                        continue;
                    };
                    prop_assert!(span.start <= span.end);
                    prop_assert!(text.get(span.clone()).is_some(), "{:?} {:?}", text, span);
                    prop_assert!(span.start >= start, "tokens have the order of the text");
                    start = span.start;
                }
            }
        }
    }

    #[test]
    fn surrounding_whitespace_is_ignored(text in text()) {
        for encoder in tokenizing_encoders() {
            for kind in KINDS {
                let padded = format!(" \u{1c}\n{text}\t\u{a0} ");
                let (plain, padded) = (
                    tokenized(encoder, &text, kind),
                    tokenized(encoder, &padded, kind),
                );
                prop_assert_eq!(plain.input_ids(), padded.input_ids());
                prop_assert_eq!(plain.kept(), padded.kept());
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn rows_are_the_kept_tokens(text in text(), length in 3..65usize) {
        for encoder in encoders() {
            let encoder = with_lengths(encoder, length, QueryExpansion::Model);
            for kind in KINDS {
                let tokens = tokenized(&encoder, &text, kind);
                let found = encoder.encode(&[&text], kind).expect("a text encodes");
                let kept = tokens.kept().iter().filter(|&&kept| kept).count();
                prop_assert_eq!([found[0].tokens(), found[0].dim()], [kept, 32]);
                for row in found[0].view().rows() {
                    prop_assert!((row.dot(&row) - 1.0).abs() < 1e-5);
                }
                for row in 0..found[0].tokens() {
                    for token in found[0].row_tokens(row) {
                        prop_assert!(!token.text.is_empty());
                        if let Some(span) = token.span {
                            prop_assert!(text.get(span).is_some());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn any_length_is_accepted_or_refused(length in any::<usize>(), small in 0..200usize) {
        for encoder in encoders() {
            for length in [length, small] {
                let mut options = EncodeOptions::default();
                // Lengths between these would run, and take long.
                if !(200..=1_000_000).contains(&length) {
                    options.document_length = Some(length);
                }
                match encoder.with_options(&options) {
                    Ok(found) => {
                        let document = found.encode_document("any text").expect("it encodes");
                        prop_assert!(document.tokens() <= length);
                    }
                    Err(error) => {
                        prop_assert!(!(3..=1_000_000).contains(&length));
                        prop_assert_eq!(error.code(), "invalid_option");
                    }
                }
            }
        }
    }
}
