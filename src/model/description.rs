//! What a folder says about its model.

use std::fmt;

use multivec_graph::hybrid::HybridPart;

use super::kind::{HeadDescription, ModelKind};
use super::layers::Module;
use crate::config::ModelConfig;
use crate::normalization::Normalization;
use crate::pool::Pooling;

/// A format in which models are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Format {
    /// A whole ONNX graph with `onnx_config.json`, or the older
    /// `config_sentence_transformers.json` without modules.
    Exported,
    /// PyLate 1: a transformer, Dense modules and
    /// `config_sentence_transformers.json`.
    PyLate,
    /// The modules of sentence-transformers.
    SentenceTransformers,
    /// A transformer of the library transformers, without modules.
    Transformers,
    /// Stanford's `HF_ColBERT` with `artifact.metadata`.
    Stanford,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exported => "exported ONNX",
            Self::PyLate => "PyLate",
            Self::SentenceTransformers => "sentence-transformers",
            Self::Transformers => "transformers",
            Self::Stanford => "Stanford ColBERT",
        })
    }
}

/// A model as its files describe it, see [`describe`](super::describe).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModelDescription {
    /// The format that the files are in.
    pub format: Format,
    /// What is behind the graph, by the kind of model.
    pub head: HeadDescription,
    /// How texts are laid out.
    pub config: ModelConfig,
    /// Path of `tokenizer.json`.
    pub tokenizer: String,
    /// The transformer's own files; `None` if there is no `config.json`, which
    /// only [`Format::Exported`] can do without.
    pub transformer: Option<Transformer>,
    /// Where weights can be had, the preferred ones first.
    pub weights: Vec<WeightsFile>,
    /// What is applied to the transformer's token states, in this order. A
    /// normalization at the end is not among them.
    pub modules: Vec<Module>,
    /// Whether rows, or the vectors of texts, have unit length in the end.
    pub normalization: Normalization,
    /// How far the model itself pools documents.
    pub pooling: Option<Pooling>,
    /// What was found and has no effect.
    pub unused: Vec<Unused>,
}

impl ModelDescription {
    /// The kind of model.
    pub fn kind(&self) -> ModelKind {
        self.head.kind()
    }

    /// Columns of a token state behind the modules of the graph, where the files
    /// state them.
    pub(super) fn states_width(&self) -> Option<usize> {
        let hidden = || self.transformer.as_ref()?.hidden_size;
        projected(&self.modules).or_else(hidden)
    }

    /// Columns of an embedding, where the files state them: those of the last
    /// Dense module, or of the configuration, or of the transformer.
    pub fn dim(&self) -> Option<usize> {
        match &self.head {
            HeadDescription::MultiVector => {
                let hidden = || match self.format {
                    Format::Exported => None,
                    _ => self.transformer.as_ref()?.hidden_size,
                };
                let stated = projected(&self.modules).or(self.config.embedding_dim);
                stated.or_else(hidden)
            }
            HeadDescription::Dense(dense) => projected(&dense.modules)
                .or_else(|| Some(self.states_width()? * dense.pooling.modes.len())),
            HeadDescription::Sparse(_) => None,
            HeadDescription::CrossEncoder(cross) => cross.labels,
            HeadDescription::Hybrid(hybrid) => match hybrid.part {
                HybridPart::Text => hybrid.widths.map(|widths| widths.text),
                HybridPart::Tokens => hybrid.widths.map(|widths| widths.token),
                _ => None,
            },
        }
    }
}

/// Columns of what the last Dense module gives.
fn projected(modules: &[Module]) -> Option<usize> {
    modules.iter().rev().find_map(|module| match module {
        Module::Dense(dense) => Some(dense.out_features),
        Module::Normalize => None,
    })
}

/// The transformer of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Transformer {
    /// The folder of its files; empty for that of the model.
    pub folder: String,
    /// Path of `config.json`.
    pub config: String,
    /// Its family, such as `bert`.
    pub model_type: String,
    /// Names of classes, such as `BertModel`.
    pub architectures: Vec<String>,
    /// Columns of a token state, where `config.json` states them.
    pub hidden_size: Option<usize>,
    /// Most tokens of an input, where `config.json` states them.
    pub positions: Option<usize>,
}

/// A file that has weights.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum WeightsFile {
    /// Path of a `model.safetensors`.
    Safetensors(String),
    /// Path of a `model.safetensors.index.json`, which names several files.
    SafetensorsIndex(String),
    /// Path of an ONNX graph.
    Onnx(String),
}

impl WeightsFile {
    /// Its path in the folder.
    pub fn path(&self) -> &str {
        match self {
            Self::Safetensors(path) | Self::SafetensorsIndex(path) | Self::Onnx(path) => path,
        }
    }
}

/// A file or key without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Unused {
    /// The file's path in the folder.
    pub file: String,
    /// The key in it, unless it is the whole file.
    pub key: Option<String>,
    /// Why it has none.
    pub reason: &'static str,
}
