//! An engine of one's own, written with the public names of `multivec` alone.

#![allow(clippy::expect_used, clippy::panic)]

use multivec::{
    Backend, BackendInfo, EncodeOptions, Encoder, Error, Fused, GraphForm, ModelConfig, ModelParts,
    Parallel, Precision, Result, RunMode, Scheduling, TextKind, TextTokenizer, TokenBatch,
    TokenStates, WeightsHasher,
};

const CONFIG: &[u8] = include_bytes!("../../tests/fixtures/tiny-bert/onnx_config.json");
const TOKENIZER: &[u8] = include_bytes!("../../tests/fixtures/tiny-bert/tokenizer.json");

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
