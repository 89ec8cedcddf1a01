//! Options that are out of range, in general or for the model.

use multivec::{
    BatchLimit, EncodeOptions, Encoder, EncoderBuilder, Normalization, Pooling, Precision, Result,
};

use multivec_testing::models::{bytes, load, refused};
use multivec_testing::{Fixture, TINY, TINY_BERT, TINY_MODERNBERT};

fn builder(fixture: &Fixture) -> EncoderBuilder {
    EncoderBuilder::from_bytes(bytes(fixture, Precision::Fp32))
}

/// Sets options while loading, and on a loaded encoder.
fn both(fixture: &Fixture, edit: impl Fn(&mut EncodeOptions)) -> [Result<Encoder>; 2] {
    let mut options = EncodeOptions::default();
    let loaded = load(fixture, Precision::Fp32, &options);
    edit(&mut options);
    [
        builder(fixture)
            .with_encode_options(options.clone())
            .build(),
        loaded.with_options(&options),
    ]
}

#[test]
fn zero() {
    for found in both(&TINY_BERT, |options| {
        options.batch_limit = BatchLimit::Texts(0);
    }) {
        refused(
            found,
            "invalid_option",
            &["`batch_limit`", "1 text or more", "found 0"],
        );
    }
    for found in both(&TINY_BERT, |options| {
        options.batch_limit = BatchLimit::Tokens(0);
    }) {
        refused(
            found,
            "invalid_option",
            &["`batch_limit`", "1 token or more", "found 0"],
        );
    }
    for found in both(&TINY_BERT, |options| options.pooling = Some(Pooling::by(0))) {
        refused(
            found,
            "invalid_option",
            &["`pooling`", "a factor of 1 or more", "found 0"],
        );
    }
    let threads = builder(&TINY_BERT).with_threads(0).build();
    refused(
        threads,
        "invalid_option",
        &["`threads`", "1 to 1024", "found 0"],
    );
    let sessions = builder(&TINY_BERT).with_sessions(0).build();
    refused(
        sessions,
        "invalid_option",
        &["`sessions`", "1 to 1024", "found 0"],
    );
    let threads = builder(&TINY_BERT).with_threads(usize::MAX).build();
    refused(threads, "invalid_option", &["`threads`", "1 to 1024"]);
}

#[test]
fn lengths_too_short() {
    for fixture in TINY {
        for length in 0..3 {
            let number = format!("found {length}");
            for found in both(fixture, |options| options.query_length = Some(length)) {
                let parts = ["`query_length`", "expected 3", &number];
                refused(found, "invalid_option", &parts);
            }
            for found in both(fixture, |options| options.document_length = Some(length)) {
                let parts = ["`document_length`", "expected 3", &number];
                refused(found, "invalid_option", &parts);
            }
        }
    }
}

#[test]
fn lengths_beyond_memory() {
    for length in [1_000_001, usize::MAX / 8, usize::MAX] {
        for found in both(&TINY_MODERNBERT, |options| {
            options.document_length = Some(length);
        }) {
            let parts = ["`document_length`", "3 to 1000000", &length.to_string()];
            refused(found, "invalid_option", &parts);
        }
    }
}

/// The table of positions has 512 rows.
#[test]
fn lengths_beyond_the_table_of_positions() {
    for length in [513, 4096] {
        for found in both(&TINY_BERT, |options| {
            options.document_length = Some(length);
        }) {
            let tokens = format!("{length} tokens");
            refused(found, "model_mismatch", &["model.onnx", &tokens]);
        }
    }
    for found in both(&TINY_BERT, |options| options.document_length = Some(512)) {
        let encoder = found.expect("the table is long enough");
        let long = encoder.encode_document(&"paris ".repeat(600));
        let truncation = long.expect("it encodes").truncation();
        assert!(truncation.is_some_and(|found| found.is_truncated()));
    }
}

#[test]
fn the_shortest_lengths_work() {
    for fixture in TINY {
        for found in both(fixture, |options| {
            options.query_length = Some(3);
            options.document_length = Some(3);
        }) {
            let encoder = found.expect("three tokens are enough");
            let document = encoder.encode_document("a long text").expect("it encodes");
            assert_eq!(document.tokens(), 3);
            assert!(
                document
                    .truncation()
                    .is_some_and(|found| found.is_truncated())
            );
            assert_eq!(
                encoder.encode_query("text").expect("it encodes").tokens(),
                3
            );
        }
    }
}

#[test]
fn normalization_is_fixed_when_the_graph_is_loaded() {
    let mut options = EncodeOptions::default();
    let loaded = load(&TINY_BERT, Precision::Fp32, &options);
    options.normalization = Normalization::Off;
    let parts = ["`normalization`", "L2", "found Off"];
    refused(loaded.with_options(&options), "invalid_option", &parts);
}
