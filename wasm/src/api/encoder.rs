//! The encoder.

use js_sys::Uint8Array;
use multivec_core::{Encoder, Error, ModelParts, Result, TextKind, WeightsHasher};
use multivec_graph::Graph;
use multivec_graph::onnx::TensorProto;
use multivec_tract::{TractBackend, TractGraph};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::arrays::{TokenColumns, Truncations, bytes, integers, object};
use super::error::{JsResult, to_js};
use super::file::{ModelFile, OWN};
use super::health;
use super::job::WasmJob;
use super::options;
use crate::threads::{POOL, threads};
use crate::utf16::Utf16Index;

/// A loaded model.
#[wasm_bindgen]
pub struct WasmEncoder {
    encoder: Encoder,
}

#[wasm_bindgen]
impl WasmEncoder {
    /// Loads a model from the bytes of its three files; those of the model stay
    /// where they are, and weights are copied one by one. `names` are those of
    /// the files, `{ model, tokenizer, config }`, for messages.
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
        load(model, tokenizer, &config, &names, &precision, &options)
            .map(|encoder| Self { encoder })
            .map_err(to_js)
    }

    /// What was loaded, and how it runs.
    pub fn info(&self) -> JsResult<JsValue> {
        health::check()?;
        let info = self.encoder.info();
        let config = self.encoder.config();
        let fingerprint = self.encoder.fingerprint();
        let length = |kind| JsValue::from(self.encoder.length(kind) as u32);
        let name = config.model_name.as_deref();
        Ok(object([
            ("engine", info.engine.into()),
            ("engineVersion", info.engine_version.as_str().into()),
            ("provider", info.provider.as_str().into()),
            ("precision", info.precision.to_string().into()),
            ("threads", (POOL.size() as u32).into()),
            (
                "dim",
                info.dim.map_or(JsValue::NULL, |dim| (dim as u32).into()),
            ),
            ("queryLength", length(TextKind::Query)),
            ("documentLength", length(TextKind::Document)),
            ("modelName", name.map_or(JsValue::NULL, JsValue::from)),
            (
                "fingerprint",
                object([
                    ("space", fingerprint.space().into()),
                    ("computed", fingerprint.computed().into()),
                ]),
            ),
        ]))
    }

    /// Tokenizes texts and plans their batches; [`WasmJob`] runs them.
    pub fn start(&self, texts: JsValue, kind: JsValue, options: JsValue) -> JsResult<WasmJob> {
        health::check()?;
        let start = || {
            let texts = options::texts(&texts)?;
            let kind = options::text_kind(&kind)?;
            let encoder = self.with(&options)?;
            Ok((encoder.start(&texts, kind)?, texts))
        };
        start()
            .map(|(job, texts)| WasmJob::new(job, texts))
            .map_err(to_js)
    }

    /// The tokens that texts have in this model.
    pub fn tokenize(&self, texts: JsValue, kind: JsValue, options: JsValue) -> JsResult<JsValue> {
        health::check()?;
        self.tokens(&texts, &kind, &options).map_err(to_js)
    }

    /// The tokens of ids, as the vocabulary spells them; empty for ids that it
    /// lacks.
    #[wasm_bindgen(js_name = tokenTexts)]
    pub fn token_texts(&self, ids: Vec<u32>) -> JsResult<Vec<String>> {
        health::check()?;
        let tokenizer = self.encoder.tokenizer();
        Ok(ids
            .into_iter()
            .map(|id| tokenizer.token(id).unwrap_or_default())
            .collect())
    }
}

impl WasmEncoder {
    fn with(&self, options: &JsValue) -> Result<Encoder> {
        self.encoder
            .with_options(&options::encode_options(options)?)
    }

    fn tokens(&self, texts: &JsValue, kind: &JsValue, options: &JsValue) -> Result<JsValue> {
        let texts = options::texts(texts)?;
        let kind = options::text_kind(kind)?;
        let tokenized = self.with(options)?.tokenize(&texts, kind)?;

        let mut tokens = TokenColumns::default();
        let mut truncations = Truncations::default();
        let (mut attention, mut kept, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (text, tokenized) in texts.iter().zip(&tokenized) {
            let spans = (0..tokenized.len()).map(|at| tokenized.span(at));
            let end = spans.clone().flatten().map(|span| span.end).max();
            let index = Utf16Index::new(text, end.unwrap_or(0));
            let ids = tokenized.input_ids().iter().zip(tokenized.roles());
            for ((&id, &role), span) in ids.zip(spans) {
                tokens.push(id, role, span, &index);
            }
            attention.extend(tokenized.attention_mask().iter().map(|&bit| u8::from(bit)));
            kept.extend(tokenized.kept().iter().map(|&bit| u8::from(bit)));
            lengths.push(tokenized.len() as u32);
            truncations.push(tokenized.truncation());
        }
        Ok(object([
            ("ids", integers(&tokens.ids)),
            ("attention", bytes(&attention)),
            ("kept", bytes(&kept)),
            ("roles", bytes(&tokens.roles)),
            ("spans", integers(&tokens.spans)),
            ("lengths", integers(&lengths)),
            ("keptTokens", integers(&truncations.kept)),
            ("droppedTokens", integers(&truncations.dropped)),
        ]))
    }
}

fn load(
    model: Uint8Array,
    tokenizer: Vec<u8>,
    config: &[u8],
    names: &JsValue,
    precision: &JsValue,
    options: &JsValue,
) -> Result<Encoder> {
    let name = |key| options::string(names, key);
    let precision = options::precision(precision)?;
    let options = options::encode_options(options)?;
    let parts = ModelParts::from_json(
        (&name("config")?, config),
        (&name("tokenizer")?, &tokenizer),
    )?;
    // Weights find room where it was.
    drop(tokenizer);
    let name = name("model")?;
    let model = ModelFile {
        name: &name,
        bytes: model,
    };
    let mut weights = WeightsHasher::new();
    weights
        .update_reader(model.reader())
        .map_err(|source| Error::Io {
            path: name.clone(),
            action: "reading",
            source,
        })?;
    let graph = Graph::scan(&name, OWN, model.reader())?;
    let external = |tensor: &TensorProto| model.read(tensor);
    let graph = TractGraph::new(&name, graph, precision, &external)
        .with_normalization(options.normalization)
        .fused()
        .with_threads(threads());
    let backend = TractBackend::open(graph)?.with_concurrency(POOL.size());
    Encoder::new(parts, Box::new(backend), weights, &options)
}
