//! The encoder.

use js_sys::Uint8Array;
use multivec_core::tokenize::{TextTokenizer, TokenizedText};
use multivec_core::{
    EncodeOptions, Encoder, Error, ModelConfig, ModelParts, Precision, Result, TextKind,
    WeightsHasher,
};
use multivec_graph::Graph;
use multivec_graph::onnx::TensorProto;
use multivec_tract::{TractBackend, TractGraph};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{TokenColumns, Truncations, bytes, integers, object};
use super::error::{JsResult, to_js};
use super::file::{ModelFile, OWN};
use super::job::WasmJob;
use super::options::FileNames;
use super::{health, options};
use crate::threads::{POOL, threads};
use crate::utf16::Utf16Index;

/// A loaded model.
#[wasm_bindgen]
pub struct WasmEncoder {
    encoder: Encoder,
}

#[wasm_bindgen]
impl WasmEncoder {
    /// Loads a model from its three files. The bytes of `model` stay with
    /// JavaScript; weights are copied one by one. `names`, an object
    /// `{ model, tokenizer, config }`, has the file names for messages.
    #[wasm_bindgen(constructor)]
    pub fn new(
        model: Uint8Array,
        tokenizer: Vec<u8>,
        config: Vec<u8>,
        names: JsValue,
        precision: JsValue,
        options: JsValue,
    ) -> JsResult<WasmEncoder> {
        health::check()?;
        let names = options::file_names(names)?;
        let precision = options::precision(precision)?;
        let options = options::encode_options(&options)?;
        let files = Files {
            model,
            tokenizer,
            config,
            names,
        };
        load(files, precision, &options)
            .map(|encoder| Self { encoder })
            .map_err(to_js)
    }

    /// The engine, the model, and the embedding space.
    pub fn info(&self) -> JsResult<JsValue> {
        health::check()?;
        let info = self.encoder.info();
        let fingerprint = self.encoder.fingerprint();
        object(&Info {
            engine: info.engine,
            engine_version: &info.engine_version,
            provider: &info.provider,
            precision: info.precision.to_string(),
            threads: POOL.size(),
            dim: info.dim,
            query_length: self.encoder.length(TextKind::Query),
            document_length: self.encoder.length(TextKind::Document),
            model_name: self.encoder.config().model_name.as_deref(),
            fingerprint: Fingerprint {
                space: fingerprint.space(),
                computed: fingerprint.computed(),
            },
        })
    }

    /// Tokenizes texts and plans their batches; [`WasmJob`] runs them. In
    /// messages, positions of texts count from the first of a stream, of
    /// which there were `before` others.
    pub fn start(
        &self,
        texts: JsValue,
        kind: JsValue,
        options: JsValue,
        before: usize,
    ) -> JsResult<WasmJob> {
        health::check()?;
        let texts = options::texts(&texts, before).map_err(to_js)?;
        let kind = options::text_kind(kind)?;
        let job = self.with(&options)?.start(&texts, kind);
        match job {
            Ok(job) => Ok(WasmJob::new(job, texts, before)),
            Err(error) => Err(to_js(error.after(before))),
        }
    }

    /// Tokenizes texts.
    pub fn tokenize(&self, texts: JsValue, kind: JsValue, options: JsValue) -> JsResult<JsValue> {
        health::check()?;
        let texts = options::texts(&texts, 0).map_err(to_js)?;
        let kind = options::text_kind(kind)?;
        let encoder = self.with(&options)?;
        let tokenized = encoder.tokenize(&texts, kind).map_err(to_js)?;

        let mut all = TokenizedTexts::default();
        for (text, tokenized) in texts.iter().zip(&tokenized) {
            all.push(text, tokenized, encoder.tokenizer());
        }
        object(&all)
    }
}

impl WasmEncoder {
    fn with(&self, options: &JsValue) -> JsResult<Encoder> {
        let options = options::encode_options(options)?;
        self.encoder.with_options(&options).map_err(to_js)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    engine: &'a str,
    engine_version: &'a str,
    provider: &'a str,
    precision: String,
    threads: usize,
    dim: Option<usize>,
    query_length: usize,
    document_length: usize,
    model_name: Option<&'a str>,
    fingerprint: Fingerprint<'a>,
}

#[derive(Serialize)]
struct Fingerprint<'a> {
    space: &'a str,
    computed: &'a str,
}

/// Tokens of several texts, one after the other.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenizedTexts {
    #[serde(flatten)]
    tokens: TokenColumns,
    #[serde(serialize_with = "bytes")]
    attention: Vec<u8>,
    #[serde(serialize_with = "bytes")]
    kept: Vec<u8>,
    /// Tokens of each text.
    #[serde(serialize_with = "integers")]
    lengths: Vec<u32>,
    #[serde(flatten)]
    truncations: Truncations,
}

impl TokenizedTexts {
    fn push(&mut self, text: &str, tokenized: &TokenizedText, tokenizer: &TextTokenizer) {
        let spans = (0..tokenized.len()).map(|at| tokenized.span(at));
        let end = spans.clone().flatten().map(|span| span.end).max();
        let index = Utf16Index::new(text, end.unwrap_or(0));
        let ids = tokenized.input_ids().iter().zip(tokenized.roles());
        for ((&id, &role), span) in ids.zip(spans) {
            let span = span.map(|bytes| index.range(bytes));
            let spelling = || tokenizer.token(id).unwrap_or_default();
            self.tokens.push(id, role, span, spelling);
        }
        let flags = |bits: &[bool]| bits.iter().map(|&bit| u8::from(bit)).collect::<Vec<_>>();
        self.attention.extend(flags(tokenized.attention_mask()));
        self.kept.extend(flags(tokenized.kept()));
        self.lengths.push(tokenized.len() as u32);
        self.truncations.push(tokenized.truncation());
    }
}

/// A model's files.
struct Files {
    model: Uint8Array,
    tokenizer: Vec<u8>,
    config: Vec<u8>,
    names: FileNames,
}

fn load(files: Files, precision: Precision, options: &EncodeOptions) -> Result<Encoder> {
    let names = files.names;
    let config = ModelConfig::from_json(&names.config, &files.config)?;
    let parts = ModelParts::new(config, &names.tokenizer, &files.tokenizer)?;
    // Frees its memory for the weights.
    drop(files.tokenizer);
    let model = ModelFile {
        name: &names.model,
        bytes: files.model,
    };
    let mut weights = WeightsHasher::new();
    weights
        .update_reader(model.reader())
        .map_err(|source| Error::io(&names.model, "reading", source))?;
    let graph = Graph::scan(&names.model, OWN, model.reader())?;
    let external = |tensor: &TensorProto| model.read(tensor);
    let graph = TractGraph::new(&names.model, graph, precision, &external)
        .with_normalization(options.normalization)
        .fused()
        .with_threads(threads());
    let backend = TractBackend::open(graph)?.with_concurrency(POOL.size());
    Encoder::new(parts, Box::new(backend), weights, options)
}
