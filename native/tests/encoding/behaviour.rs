//! Behaviour that callers rely on besides the values of vectors: shapes,
//! sharing, tokens of rows, truncation, normalization, fingerprints.

use std::collections::HashSet;
use std::thread;

use multivec::{
    BatchLimit, EncodeOptions, Encoder, EncoderBuilder, Error, Normalization, Pooling, Precision,
    QueryExpansion, TextKind, TokenRole, TruncationPolicy,
};
use multivec_testing::models::{build, bytes, folder, load, open, refused, with_config};
use multivec_testing::{Fixture, MINILM, TINY, TINY_BERT, TINY_MODERNBERT};

const TEXTS: [&str; 6] = [
    "Paris is the capital of France.",
    "",
    "a",
    "Bees make honey, and a bear likes to eat it.",
    "naïve café in Zürich 🚀",
    "Late interaction keeps one vector for each token of a text.",
];

fn fp32(fixture: &Fixture) -> Encoder {
    load(fixture, Precision::Fp32, &EncodeOptions::default())
}

fn with(edit: impl FnOnce(&mut EncodeOptions)) -> EncodeOptions {
    let mut options = EncodeOptions::default();
    edit(&mut options);
    options
}

#[test]
fn no_texts_and_an_empty_text() {
    for fixture in TINY {
        let encoder = fp32(fixture);
        for kind in [TextKind::Query, TextKind::Document] {
            let none: [&str; 0] = [];
            assert!(encoder.encode(&none, kind).expect("nothing").is_empty());
            assert!(encoder.tokenize(&none, kind).expect("nothing").is_empty());
        }
        let query = encoder.encode_query("").expect("it encodes");
        assert_eq!([query.tokens(), query.dim()], [24, 32]);
        let document = encoder.encode_document(" \n").expect("it encodes");
        assert_eq!([document.tokens(), document.dim()], [3, 32]);
        let roles: Vec<TokenRole> = (0..3).map(|row| document.row_tokens(row)[0].role).collect();
        let expected = [TokenRole::Special, TokenRole::Prefix, TokenRole::Special];
        assert_eq!(roles, expected);
    }
}

#[test]
fn an_encoder_is_shared_between_threads() {
    fn shareable<T: Send + Sync + Clone + 'static>(_: &T) {}
    for precision in [Precision::Fp32, Precision::Int8] {
        let encoder = load(&TINY_MODERNBERT, precision, &EncodeOptions::default());
        shareable(&encoder);
        let expected = encoder.encode_documents(&TEXTS).expect("texts encode");
        let found = thread::scope(|scope| {
            let workers: Vec<_> = (0..8)
                .map(|_| {
                    let encoder = encoder.clone();
                    scope.spawn(move || {
                        let again = || encoder.encode_documents(&TEXTS).expect("texts encode");
                        [again(), again(), again()]
                    })
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().expect("no worker panics"))
                .collect::<Vec<_>>()
        });
        assert_eq!(found.len(), 24);
        assert!(found.iter().all(|found| *found == expected));
    }
}

#[test]
fn sessions_do_not_change_the_result() {
    let options = with(|options| options.batch_limit = BatchLimit::Texts(1));
    let builder = EncoderBuilder::from_bytes(bytes(&TINY_BERT, Precision::Fp32))
        .with_encode_options(options)
        .with_threads(1);
    let one = builder.clone().build().expect("the model loads");
    let three = builder.with_sessions(3).build().expect("the model loads");
    let texts: Vec<String> = (0..40)
        .map(|at| format!("text {at} {}", TEXTS[at % 6]))
        .collect();
    assert_eq!(
        one.encode_documents(&texts).expect("texts encode"),
        three.encode_documents(&texts).expect("texts encode"),
    );
}

#[test]
fn a_job_gives_the_same_batch_by_batch() {
    let encoder = fp32(&TINY_BERT)
        .with_options(&with(|options| options.batch_limit = BatchLimit::Texts(2)))
        .expect("options are valid");
    let mut job = encoder
        .start(&TEXTS, TextKind::Document)
        .expect("texts tokenize");
    assert_eq!(job.texts(), 6);
    let mut done = 0;
    while let Some(texts) = job.run_next().expect("a batch runs") {
        done += texts;
    }
    assert_eq!(done, 6);
    assert_eq!(
        job.finish().expect("nothing is left"),
        encoder.encode_documents(&TEXTS).expect("texts encode"),
    );
}

#[test]
fn other_options_on_a_loaded_encoder() {
    let encoder = fp32(&TINY_MODERNBERT);
    let options = with(|options| {
        options.query_length = Some(8);
        options.query_expansion = QueryExpansion::Off;
        options.pooling = Some(Pooling::by(2));
    });
    let other = encoder.with_options(&options).expect("options are valid");
    assert_eq!(other.length(TextKind::Query), 8);
    assert_eq!(other.length(TextKind::Document), 64);
    assert_eq!(other.fingerprint(), encoder.fingerprint());
    assert_eq!(other.encode_query("a").expect("it encodes").tokens(), 4);
    assert_eq!(encoder.encode_query("a").expect("it encodes").tokens(), 24);
    let whole = encoder.encode_document(TEXTS[3]).expect("it encodes");
    let pooled = other.encode_document(TEXTS[3]).expect("it encodes");
    assert_eq!(pooled, whole.pooled(Pooling::by(2)).expect("it pools"));
    assert!(pooled.tokens() < whole.tokens());
}

#[test]
fn truncation_is_reported_or_refused() {
    for fixture in TINY {
        let short = with(|options| options.document_length = Some(8));
        let encoder = fp32(fixture).with_options(&short).expect("valid");
        let whole = fp32(fixture).encode_document(TEXTS[5]).expect("it encodes");
        let whole = whole.truncation().expect("its text is known");
        assert!(!whole.is_truncated());
        let cut = encoder.encode_document(TEXTS[5]).expect("it encodes");
        let cut = cut.truncation().expect("its text is known");
        assert!(cut.is_truncated());
        assert_eq!(cut.kept_tokens, 5);
        assert_eq!(cut.kept_tokens + cut.dropped_tokens, whole.kept_tokens);

        let strict = with(|options| {
            options.document_length = Some(8);
            options.truncation = TruncationPolicy::Error;
        });
        let encoder = encoder.with_options(&strict).expect("valid");
        let found = format!("found {}", whole.kept_tokens);
        let parts = ["text 2", "at most 5 tokens", &found];
        let texts = ["a", "", TEXTS[5]];
        refused(encoder.encode_documents(&texts), "text_too_long", &parts);
        assert!(encoder.encode_documents(&texts[..2]).is_ok());
        assert!(encoder.encode_queries(&texts[..2]).is_ok());
    }
}

#[test]
fn rows_name_their_tokens() {
    let text = "  Zürich naïve, 🚀 and Paris";
    for fixture in TINY {
        let encoder = fp32(fixture);
        let ids = encoder
            .tokenize(&[text], TextKind::Document)
            .expect("a text");
        let document = encoder.encode_document(text).expect("it encodes");
        let mut seen = Vec::new();
        for row in 0..document.tokens() {
            let tokens = document.row_tokens(row);
            assert_eq!(tokens.len(), 1);
            let token = &tokens[0];
            assert_eq!(
                encoder.tokenizer().token(token.id),
                Some(token.text.clone())
            );
            assert_eq!(token.span.is_some(), token.role == TokenRole::Text);
            if let Some(span) = &token.span {
                seen.push(text[span.clone()].trim());
            }
            assert!(![","].contains(&token.text.as_str()), "a skiplist word");
        }
        assert!(seen.concat().starts_with("Z"), "{seen:?}");
        assert!(seen.contains(&"🚀"), "{seen:?}");
        let kept = ids[0].kept().iter().filter(|&&kept| kept).count();
        assert_eq!(kept, document.tokens());

        let pooled = document.pooled(Pooling::by(3)).expect("it pools");
        let all = |embedding: &multivec::Embedding| {
            let mut spans: Vec<_> = (0..embedding.tokens())
                .flat_map(|row| embedding.row_tokens(row))
                .map(|token| (token.span.map(|span| (span.start, span.end)), token.id))
                .collect();
            spans.sort_unstable();
            spans
        };
        assert!(pooled.tokens() < document.tokens());
        assert_eq!(all(&pooled), all(&document));
    }
}

#[test]
fn rows_of_expanded_queries_name_their_mask_tokens() {
    let query = fp32(&TINY_BERT).encode_query("paris").expect("it encodes");
    let last = query.row_tokens(23);
    assert_eq!((last[0].role, last[0].id), (TokenRole::Expansion, 4));
    assert_eq!(
        (last[0].text.as_str(), last[0].span.clone()),
        ("[MASK]", None)
    );
    let prefix = query.row_tokens(1);
    assert_eq!(
        (prefix[0].role, prefix[0].text.as_str()),
        (TokenRole::Prefix, "[unused0]")
    );
}

#[test]
fn lower_cased_texts_keep_their_offsets() {
    let encoder = build(with_config(&TINY_MODERNBERT, |config| {
        config.insert("do_lower_case".to_owned(), true.into());
    }))
    .expect("the model loads");
    let text = "\u{a0}İSTANBUL ΑΣ PARIS";
    let document = encoder.encode_document(text).expect("it encodes");
    let spans: Vec<_> = (0..document.tokens())
        .filter_map(|row| document.row_tokens(row)[0].span.clone())
        .collect();
    assert_eq!(spans.first().map(|span| span.start), Some(2));
    assert_eq!(spans.last().map(|span| span.end), Some(text.len()));
    let lower = "i\u{307}stanbul ας paris";
    let plain = fp32(&TINY_MODERNBERT)
        .encode_document(lower)
        .expect("it encodes");
    assert_eq!(document, plain);
}

fn normalizing_raw_rows_gives_the_normalized_ones(fixture: &Fixture, precision: Precision) {
    let normalized = load(fixture, precision, &EncodeOptions::default());
    let off = with(|options| options.normalization = Normalization::Off);
    let raw = load(fixture, precision, &off);
    for kind in [TextKind::Query, TextKind::Document] {
        let expected = normalized.encode(&TEXTS, kind).expect("texts encode");
        let found = raw.encode(&TEXTS, kind).expect("texts encode");
        let mut lengths = Vec::new();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.tokens(), expected.tokens());
            for (found, expected) in found.view().rows().into_iter().zip(expected.view().rows()) {
                let length = found.dot(&found).sqrt();
                lengths.push(length);
                for (found, expected) in found.iter().zip(expected) {
                    let distance = (found / length - expected).abs();
                    assert!(distance <= 1e-5, "{}: {distance}", fixture.name);
                }
            }
        }
        let unit = lengths.iter().filter(|&length| (length - 1.0).abs() < 1e-3);
        assert!(unit.count() * 10 < lengths.len(), "{lengths:?}");
    }
    assert_ne!(raw.fingerprint().space(), normalized.fingerprint().space());
}

#[test]
fn normalization_can_be_turned_off() {
    for fixture in TINY {
        normalizing_raw_rows_gives_the_normalized_ones(fixture, Precision::Fp32);
    }
    normalizing_raw_rows_gives_the_normalized_ones(&MINILM, Precision::Int8);
}

#[test]
fn fingerprints_distinguish_spaces() {
    let root = folder(&[
        ("config_sentence_transformers.json", TINY_BERT.config),
        ("tokenizer.json", TINY_BERT.tokenizer),
        ("onnx/model.onnx", TINY_BERT.fp32.expect("it has FP32")),
    ]);
    let from_folder = open(root.path()).expect("the model loads");
    let from_bytes = fp32(&TINY_BERT);
    assert_eq!(from_folder.fingerprint(), from_bytes.fingerprint());
    let renamed = with_config(&TINY_BERT, |config| {
        config.insert("model_name".to_owned(), "a copy".into());
    });
    let renamed = build(renamed).expect("the model loads");
    assert_eq!(renamed.fingerprint(), from_bytes.fingerprint());

    let longer = with_config(&TINY_BERT, |config| {
        config.insert("do_lower_case".to_owned(), true.into());
    });
    let mut tokenizer = bytes(&TINY_BERT, Precision::Fp32);
    tokenizer.tokenizer.push(b'\n');
    let others = [
        fp32(&TINY_MODERNBERT),
        load(&TINY_BERT, Precision::Int8, &EncodeOptions::default()),
        build(longer).expect("the model loads"),
        build(tokenizer).expect("the model loads"),
        from_bytes,
    ];
    let spaces: HashSet<&str> = others
        .iter()
        .map(|other| other.fingerprint().space())
        .collect();
    assert_eq!(spaces.len(), others.len());
    for space in spaces {
        assert!(space.len() == 32 && space.chars().all(|digit| digit.is_ascii_hexdigit()));
    }
    assert!(others[1].fingerprint().computed().contains("onnxruntime"));
    assert!(others[1].fingerprint().computed().ends_with("int8/fused"));

    let fingerprint = from_folder.fingerprint();
    assert!(fingerprint.check_space(fingerprint.space()).is_ok());
    let foreign = others[0].fingerprint().space();
    let parts = [fingerprint.space(), foreign];
    refused(
        fingerprint.check_space(foreign),
        "fingerprint_mismatch",
        &parts,
    );
}

fn one_of_each() -> Vec<Error> {
    vec![
        Error::io("x", "reading", std::io::Error::other("x")),
        Error::missing_file("x", "the tokenizer", "x"),
        Error::config_syntax("x", "x"),
        Error::config_value("x", "query_length", "x", "x"),
        Error::invalid_tokenizer("x", "x"),
        Error::tokenization(0, "x"),
        Error::invalid_model("x", "e", "x"),
        Error::model_mismatch("x", "x", "x", "x"),
        Error::option("threads", 1, 0),
        Error::text_too_long(0, 1, 2),
        Error::non_finite_vector(0, 1, f32::NAN),
        Error::dimension_mismatch("x", 1, 2),
        Error::inference("e", [1, 1], "x"),
        Error::engine_unavailable("e", "x", "x"),
        Error::provider_unavailable("x", "x", "x"),
        Error::cancelled(1),
        Error::deadline_exceeded(1),
        Error::fingerprint_mismatch("x", "x"),
        Error::invalid_input("x", 1, "JSON", "x"),
    ]
}

#[test]
fn error_codes_are_names() {
    let errors = one_of_each();
    let codes: HashSet<&str> = errors.iter().map(Error::code).collect();
    assert_eq!(codes.len(), errors.len());
    for error in &errors {
        let code = error.code();
        let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(!code.is_empty() && code.chars().all(plain), "{code}");
        // The name of the variant, so that logs match code.
        let debug = format!("{error:?}");
        let variant = debug.split([' ', '(']).next().unwrap_or_default();
        assert_eq!(code.replace('_', ""), variant.to_lowercase());
        assert!(!error.to_string().is_empty());
    }
}
