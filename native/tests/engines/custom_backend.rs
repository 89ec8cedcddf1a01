//! An engine of one's own, written with the public names of `multivec` alone.

use multivec::{
    Backend, BackendInfo, EncodeOptions, Encoder, Error, Fused, GraphForm, ModelConfig, ModelParts,
    Parallel, Precision, Result, RunMode, Scheduling, TextKind, TextTokenizer, TokenBatch,
    TokenStates, WeightsHasher,
};

const CONFIG: &[u8] = include_bytes!("../../../tests/fixtures/tiny-bert/onnx_config.json");
const TOKENIZER: &[u8] = include_bytes!("../../../tests/fixtures/tiny-bert/tokenizer.json");

/// Columns of the fixture's embeddings.
const DIM: usize = 32;

/// Gives each id a one-hot vector, its last digit in base 32.
struct OneHot {
    info: BackendInfo,
    threads: Calling,
}

/// Lends the calling thread.
struct Calling;

impl Parallel for Calling {
    fn threads(&self) -> usize {
        1
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(task);
    }
}

impl Backend for OneHot {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default()
            .with_concurrency(2)
            .with_batch_tokens(64)
            .with_threads(Some(&self.threads))
    }

    fn run(&self, batch: &TokenBatch, mode: RunMode) -> Result<TokenStates> {
        assert!(matches!(mode, RunMode::Exclusive | RunMode::Shared));
        let mut data = Vec::with_capacity(batch.input_ids.len() * DIM);
        for &id in &batch.input_ids {
            let hot = usize::try_from(id)
                .map_err(|error| Error::inference("one-hot", [batch.rows, batch.length], error))?
                % DIM;
            data.extend((0..DIM).map(|column| if column == hot { 2. } else { 0. }));
        }
        Ok(TokenStates::new(data, DIM))
    }
}

fn encoder(options: &EncodeOptions) -> Result<Encoder> {
    let config = ModelConfig::from_json("onnx_config.json", CONFIG)?;
    let parts = ModelParts::new(config, "tokenizer.json", TOKENIZER)?;
    let tokenizer: &TextTokenizer = parts.tokenizer();
    assert_eq!(
        tokenizer.token(tokenizer.pad_id()).as_deref(),
        Some("[MASK]")
    );
    let info = BackendInfo::new("one-hot", Precision::Fp32, "one-hot.bin")
        .with_engine_version("1.0")
        .with_provider("cpu")
        .with_dim(DIM)
        .with_token_type_ids()
        .with_graph(GraphForm::from(Fused::default()));
    let mut weights = WeightsHasher::new();
    weights.update(b"no weights");
    let backend = OneHot {
        info,
        threads: Calling,
    };
    Encoder::new(parts, Box::new(backend), weights, options)
}

#[test]
fn a_text_is_encoded() {
    let encoder = encoder(&EncodeOptions::default()).expect("the encoder fits the model");
    let texts = ["Bees make honey.", "A longer text about Paris in France."];
    let found = encoder.encode_documents(&texts).expect("texts encode");
    let tokens = encoder
        .tokenize(&texts, TextKind::Document)
        .expect("texts tokenize");
    for (embedding, text) in found.iter().zip(&tokens) {
        let kept = text.input_ids().iter().zip(text.kept());
        let ids: Vec<u32> = kept.filter(|(_, kept)| **kept).map(|(&id, _)| id).collect();
        assert_eq!(embedding.tokens(), ids.len());
        for (row, id) in embedding.view().rows().into_iter().zip(ids) {
            assert_eq!(row.sum(), 1., "rows are normalized");
            assert_eq!(row[id as usize % DIM], 1.);
        }
    }
    assert_eq!(encoder.info().engine, "one-hot");
    assert!(
        encoder
            .fingerprint()
            .computed()
            .ends_with("/one-hot-1.0/cpu/fp32")
    );
}

#[test]
fn options_are_checked() {
    let options = EncodeOptions::default().with_document_length(1);
    let error = encoder(&options).expect_err("there is no room for special tokens");
    assert_eq!(error.code(), "invalid_option");
    assert!(error.to_string().contains("`document_length`"), "{error}");
}

#[cfg(feature = "serde")]
mod serialized {
    use multivec::{
        BatchLimit, Embedding, Normalization, Pooling, Token, TruncationPolicy, matches, rank,
    };
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    #[test]
    fn options_are_read_and_written() {
        let options = EncodeOptions::default()
            .with_query_length(16)
            .with_truncation(TruncationPolicy::Error)
            .with_normalization(Normalization::Off)
            .with_pooling(Pooling::by(2))
            .with_batch_limit(BatchLimit::Texts(8));
        let written = to_value(&options).expect("it is written");
        assert_eq!(written["batch_limit"], json!({ "texts": 8 }));
        assert_eq!(from_value::<EncodeOptions>(written).ok(), Some(options));
        let read = from_value::<EncodeOptions>(json!({ "truncation": "error" }));
        let expected = EncodeOptions::default().with_truncation(TruncationPolicy::Error);
        assert_eq!(read.ok(), Some(expected));
        let unknown = from_value::<EncodeOptions>(json!({ "batch_size": 8 }));
        let error = unknown.expect_err("there is no such option").to_string();
        assert!(error.contains("`batch_size`"), "{error}");
    }

    #[test]
    fn results_are_read_and_written() {
        let encoder = encoder(&EncodeOptions::default()).expect("the encoder fits the model");
        let document = encoder
            .encode_document("Bees make honey.")
            .expect("it encodes");
        let written = to_value(&document).expect("it is written");
        assert_eq!(written["dim"], DIM);
        assert_eq!(
            from_value::<Embedding>(written).ok(),
            Some(document.clone())
        );
        let incomplete = from_value::<Embedding>(json!({ "dim": 2, "data": [1.0] }));
        let error = incomplete.expect_err("half a row").to_string();
        assert!(error.contains("expected dimension 2, found 1"), "{error}");

        let tokens = document.row_tokens(0);
        let written = to_value(&tokens).expect("it is written");
        assert_eq!(written[0]["role"], "special");
        assert_eq!(from_value::<Vec<Token>>(written).ok(), Some(tokens));
        let ranking = rank(&document, std::slice::from_ref(&document)).expect("equal dimensions");
        assert_eq!(to_value(&ranking).expect("it is written")[0]["index"], 0);
        let found = matches(&document, &document).expect("equal dimensions");
        assert_eq!(to_value(&found).expect("it is written")[0]["row"], 0);
        let truncation = to_value(document.truncation()).expect("it is written");
        assert_eq!(truncation["dropped_tokens"], 0);

        let fingerprint = to_value(encoder.fingerprint()).expect("it is written");
        assert_eq!(fingerprint["space"], encoder.fingerprint().space());
        let info: Value = to_value(encoder.info()).expect("it is written");
        assert_eq!(info["precision"], "fp32");
        assert_eq!(info["graph"]["form"], "original");
    }
}

#[cfg(feature = "tracing")]
mod traced {
    use std::sync::{Arc, Mutex};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Remembers the names of spans, and the number of events.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<(Vec<&'static str>, usize)>>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            let mut log = self.0.lock().expect("nobody panics");
            log.0.push(span.metadata().name());
            Id::from_u64(log.0.len() as u64)
        }

        fn event(&self, _: &Event<'_>) {
            self.0.lock().expect("nobody panics").1 += 1;
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn loading_and_encoding_have_spans() {
        let log = Log::default();
        tracing::subscriber::with_default(log.clone(), || {
            let encoder = encoder(&EncodeOptions::default()).expect("the encoder fits the model");
            encoder
                .encode_document("Bees make honey.")
                .expect("it encodes");
        });
        let log = log.0.lock().expect("nobody panics");
        assert_eq!(log.0, ["check_model", "tokenize", "batch"]);
        assert_eq!(log.1, 1, "the encoder was loaded");
    }
}
