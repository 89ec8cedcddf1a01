//! Vectors that are NaN or infinite: an error that names the text, on each
//! engine.

use multivec::{
    EncodeOptions, Encoder, EncoderBuilder, Engine, Error, ModelBytes, Normalization, Precision,
    TextKind, TruncationPolicy,
};
use multivec_testing::graphs::{self, lookup};
use multivec_testing::models::with_graph;

/// Rows and columns of the embedding table.
const IDS: usize = 2050;
const DIM: usize = 8;

/// A word, whose vector is spoilt.
const WORD: &str = "honey";
const TEXTS: [&str; 4] = ["Bees", "", "make honey", "in summer"];

/// A table of vectors in which those of the word's tokens have such a value.
fn spoilt(value: f32) -> ModelBytes {
    let mut graph = lookup(IDS, DIM);
    let mut bytes = with_graph(&graphs::model(graph.clone()));
    let intact = EncoderBuilder::from_bytes(bytes.clone()).build();
    let tokens = |text| {
        let intact = intact.as_ref().expect("the model loads");
        let tokens = intact.tokenize(&[text], TextKind::Document);
        tokens.expect("it tokenizes")[0].input_ids().to_vec()
    };
    let common = tokens("make");
    let values = &mut graph.initializer[0].float_data;
    for id in tokens(&format!("make {WORD}")) {
        if !common.contains(&id) {
            values[id as usize * DIM + 3] = value;
        }
    }
    bytes.model = graphs::model(graph);
    bytes
}

fn encoders() -> impl Iterator<Item = Encoder> {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let engines = Engine::COMPILED.iter();
    engines.flat_map(move |&engine| {
        values.into_iter().flat_map(move |value| {
            [Normalization::L2, Normalization::Off].map(|normalization| {
                EncoderBuilder::from_bytes(spoilt(value))
                    .with_engine(engine)
                    .with_normalization(normalization)
                    .build()
                    .expect("the model loads")
            })
        })
    })
}

#[track_caller]
fn assert_named(error: &Error, text: usize) {
    assert_eq!(error.code(), "non_finite_vector");
    assert_eq!(error.text(), Some(text));
    let message = error.to_string();
    assert!(message.starts_with(&format!("text {text}: ")), "{message}");
}

#[test]
fn the_text_is_named() {
    for encoder in encoders() {
        let error = encoder.encode_documents(&TEXTS);
        assert_named(&error.expect_err("a row is not finite"), 2);
        let error = encoder.encode_query(WORD);
        assert_named(&error.expect_err("a row is not finite"), 0);
        encoder.encode_document("Bees").expect("it is finite");
    }
}

#[test]
fn streams_count_from_their_start() {
    for encoder in encoders() {
        let texts = TEXTS.iter().cycle();
        let mut stream = encoder.stream_documents(texts).with_read_ahead(2);
        for _ in 0..2 {
            let embedding = stream.next().expect("there are more");
            embedding.expect("it is finite");
        }
        let error = stream.next().expect("a failure");
        assert_named(&error.expect_err("a row is not finite"), 2);
    }
}

#[test]
fn texts_fail_one_by_one() {
    for encoder in encoders() {
        let options = EncodeOptions::default()
            .with_normalization(normalization(&encoder))
            .with_truncation(TruncationPolicy::Error);
        let encoder = encoder.with_options(&options).expect("options are valid");
        let long = "summer ".repeat(500);
        let texts = [&TEXTS[..], &[&long]].concat();
        let found = encoder.encode_each(&texts, TextKind::Document);
        let found = found.expect("the engine works");
        assert_eq!(found.len(), texts.len());
        for (at, (text, found)) in texts.iter().zip(&found).enumerate() {
            match (at, found) {
                (2, Err(error)) => assert_named(error, 2),
                (4, Err(error)) => {
                    assert_eq!(error.code(), "text_too_long");
                    assert_eq!(error.text(), Some(4));
                }
                (_, found) => {
                    let found = found.as_ref().expect("it is finite");
                    let alone = encoder.encode_document(text).expect("it is finite");
                    assert_eq!(*found, alone);
                }
            }
        }
    }
}

/// That of a loaded graph.
fn normalization(encoder: &Encoder) -> Normalization {
    let options = EncodeOptions::default().with_normalization(Normalization::Off);
    match encoder.with_options(&options) {
        Ok(_) => Normalization::Off,
        Err(_) => Normalization::L2,
    }
}

/// Texts that fail are not pooled.
#[test]
fn other_texts_are_pooled() {
    let encoder = EncoderBuilder::from_bytes(spoilt(f32::NAN))
        .with_precision(Precision::Fp32)
        .with_pooling(multivec::Pooling::by(2))
        .build()
        .expect("the model loads");
    let found = encoder.encode_each(&TEXTS, TextKind::Document);
    let found = found.expect("the engine works");
    assert_named(found[2].as_ref().expect_err("a row is not finite"), 2);
    let pooled = encoder.encode_document(TEXTS[3]).expect("it is finite");
    assert_eq!(found[3].as_ref().ok(), Some(&pooled));
}
