//! The encoder.

use multivec_core::tokenize::{TextTokenizer, TokenizedText};
use multivec_core::{Encoder, Padding, Quantization, TextKind};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{TokenColumns, Truncations, bytes, integers, object};
use super::error::{JsResult, to_js};
use super::job::WasmJob;
use super::load::ModelFiles;
use super::{health, options};
use crate::threads::POOL;
use crate::utf16::Utf16Index;

/// A loaded model.
#[wasm_bindgen]
pub struct WasmEncoder {
    encoder: Encoder,
}

#[wasm_bindgen]
impl WasmEncoder {
    /// Reads what the files of a model say: which of them to load, see [`Plan`].
    /// `files` is `{ location, paths, contents }`: the folder's address for
    /// messages, all paths in it, and the content of small files by their
    /// paths, as `Uint8Array`s.
    ///
    /// [`Plan`]: super::listing::Plan
    pub fn plan(files: JsValue, precision: JsValue) -> JsResult<JsValue> {
        health::check()?;
        let files = options::listing(files)?;
        let precision = options::precision(precision)?;
        object(&files.plan(precision).map_err(to_js)?)
    }

    /// Loads a model. `files` are as in [`plan`](Self::plan), with the
    /// tokenizer among the contents. `large` are `{ path, size, read }`, whose
    /// bytes stay with JavaScript: weights are copied one by one, by
    /// `read(start, end)`. `weights` are `{ path, precision }`: those to load, and
    /// the precision that was asked for, if one was.
    #[wasm_bindgen(constructor)]
    pub fn new(
        files: JsValue,
        large: JsValue,
        weights: JsValue,
        options: JsValue,
    ) -> JsResult<WasmEncoder> {
        health::check()?;
        let files = ModelFiles {
            listing: options::listing(files)?,
            large: options::parted_files(large)?,
        };
        let weights = options::chosen_weights(weights)?;
        let options = options::encode_options(&options)?;
        files
            .load(&weights, &options)
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
            quantization: match &info.quantization {
                Quantization::AtLoad => "at-load",
                Quantization::Refused { .. } => "refused",
                _ => "stored",
            },
            quantization_refused: match &info.quantization {
                Quantization::Refused { reason } => Some(reason),
                _ => None,
            },
            padding: match info.padding {
                Padding::Allowed => "allowed",
                _ => "avoided",
            },
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
    quantization: &'a str,
    quantization_refused: Option<&'a str>,
    padding: &'a str,
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
