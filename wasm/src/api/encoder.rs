//! The encoder.

use multivec_core::dense::Similarity;
use multivec_core::encoder::AnyHead;
use multivec_core::tokenize::{TextPair, TextTokenizer, TokenizedText};
use multivec_core::{ModelKind, Padding, Quantization, TextEncoder, TextKind};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{TokenColumns, Truncations, bytes, integers, object};
use super::error::{JsResult, to_js};
use super::job::WasmJob;
use super::load::{ModelFiles, external_files};
use super::options::Input;
use super::{health, options};
use crate::threads::POOL;
use crate::utf16::Utf16Index;

/// A loaded model.
#[wasm_bindgen]
pub struct WasmEncoder {
    encoder: TextEncoder<AnyHead>,
}

#[wasm_bindgen]
impl WasmEncoder {
    /// Reads what the files of a model say: which of them to load, see [`Plan`].
    /// `wanted` is `{ precision, kind }`, as far as they were asked for.
    /// `files` is `{ location, paths, contents }`: the folder's address for
    /// messages, all paths in it, and the content of small files by their
    /// paths, as `Uint8Array`s.
    ///
    /// [`Plan`]: super::listing::Plan
    pub fn plan(files: JsValue, wanted: JsValue) -> JsResult<JsValue> {
        health::check()?;
        let files = options::listing(files)?;
        let wanted = options::wanted(wanted)?;
        object(&files.plan(&wanted).map_err(to_js)?)
    }

    /// The other files that hold weights of a graph, as paths in the model's
    /// folder; none if it cannot be read, which [`new`](Self::new) reports.
    /// `graph` is `{ path, size, read }`, as there.
    #[wasm_bindgen(js_name = externalFiles)]
    pub fn external_files(graph: JsValue) -> JsResult<Vec<String>> {
        health::check()?;
        Ok(external_files(&options::parted_file(graph)?))
    }

    /// Loads a model. `files` are as in [`plan`](Self::plan), with the
    /// tokenizer among the contents. `large` are `{ path, size, read }`, whose
    /// bytes stay with JavaScript: weights are copied one by one, by
    /// `read(start, end)`. `weights` are `{ path, wanted }`: those to load, and
    /// what was asked for, as in [`plan`](Self::plan).
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
            kind: self.encoder.kind().to_string(),
            similarity: self.encoder.similarity_function().map(name_of),
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
            dim: self.encoder.dim(),
            query_length: self.encoder.length(TextKind::Query),
            document_length: self.encoder.length(TextKind::Document),
            model_name: self.encoder.config().model_name.as_deref(),
            fingerprint: Fingerprint {
                space: fingerprint.space(),
                computed: fingerprint.computed(),
            },
        })
    }

    /// Tokenizes texts, or pairs of them one after the other, and plans their
    /// batches; [`WasmJob`] runs them. In messages, positions of texts count
    /// from the first of a stream, of which there were `before` others.
    pub fn start(
        &self,
        texts: JsValue,
        kind: JsValue,
        options: JsValue,
        before: usize,
    ) -> JsResult<WasmJob> {
        health::check()?;
        let mut texts = options::texts(&texts, before).map_err(to_js)?;
        let encoder = self.with(&options)?;
        let job = match options::input(kind)? {
            Input::Texts(kind) => encoder.start(&texts, kind),
            Input::Pairs => {
                let (pairs, _) = texts.as_chunks();
                let pairs = pairs.iter();
                let pairs = pairs.map(|[query, document]| TextPair { query, document });
                encoder.start_pairs(&pairs.collect::<Vec<_>>())
            }
        };
        // Spans of tokens need the texts; others have none.
        if !matches!(encoder.kind(), ModelKind::MultiVector | ModelKind::Hybrid) {
            texts.clear();
        }
        match job {
            Ok(job) => Ok(WasmJob::new(job, texts, before)),
            Err(error) => Err(to_js(error.after(before))),
        }
    }

    /// How the vocabulary spells tokens; empty for ids that it lacks.
    pub fn spell(&self, ids: Vec<u32>) -> JsResult<Vec<String>> {
        health::check()?;
        let tokenizer = self.encoder.tokenizer();
        let spellings = ids.into_iter().map(|id| tokenizer.token(id));
        Ok(spellings.map(Option::unwrap_or_default).collect())
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
    fn with(&self, options: &JsValue) -> JsResult<TextEncoder<AnyHead>> {
        let options = options::encode_options(options)?;
        self.encoder.with_options(&options).map_err(to_js)
    }
}

fn name_of(similarity: Similarity) -> &'static str {
    match similarity {
        Similarity::Dot => "dot",
        Similarity::Euclidean => "euclidean",
        Similarity::Manhattan => "manhattan",
        _ => "cosine",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    kind: String,
    similarity: Option<&'a str>,
    engine: &'a str,
    engine_version: &'a str,
    provider: &'a str,
    precision: String,
    quantization: &'a str,
    quantization_refused: Option<&'a str>,
    padding: &'a str,
    threads: usize,
    dim: usize,
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
