//! How a model expects its texts: `onnx_config.json`, or PyLate's
//! `config_sentence_transformers.json` with the same keys. Other formats are
//! read into the same value by [`model`](crate::model).

mod keys;
mod layout;
mod template;
mod tokenizer;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
pub(crate) use keys::{Keys, shorten, syntax};
use layout::is_default;
pub use layout::{FirstRow, PrefixStyle, Preparation, Side, SkiplistTexts, UnknownWords};
pub(crate) use template::Filling;
pub use template::{PairTemplate, TemplatePart};
pub use tokenizer::TokenizerFacts;

/// Which side of retrieval a text is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum TextKind {
    /// A text to search for.
    Query,
    /// A text to be found.
    Document,
}

impl TextKind {
    pub(crate) fn length_key(self) -> &'static str {
        match self {
            Self::Query => "query_length",
            Self::Document => "document_length",
        }
    }

    pub(crate) fn prefix_key(self) -> &'static str {
        match self {
            Self::Query => "query_prefix",
            Self::Document => "document_prefix",
        }
    }

    pub(crate) fn prefix_id_key(self) -> &'static str {
        match self {
            Self::Query => "query_prefix_id",
            Self::Document => "document_prefix_id",
        }
    }
}

/// How a late-interaction model expects its texts. Absent keys have PyLate's
/// defaults (PyLate 1.6, `models/colbert.py`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelConfig {
    /// The configuration file, for messages.
    #[serde(skip)]
    pub file: String,
    /// The model's name, if it states one.
    #[serde(skip)]
    pub model_name: Option<String>,
    /// Marker or prompt of queries, see [`PrefixStyle`]; empty for none.
    pub query_prefix: String,
    /// Marker or prompt of documents; empty for none.
    pub document_prefix: String,
    /// Id of the query marker, where the file states it.
    pub query_prefix_id: Option<u32>,
    /// Id of the document marker, where the file states it.
    pub document_prefix_id: Option<u32>,
    /// Most tokens of a query, including special tokens and prefix.
    pub query_length: usize,
    /// Most tokens of a document, including special tokens and prefix.
    pub document_length: usize,
    /// Whether queries are expanded with mask tokens, to `expansion_length` or
    /// else to `query_length`.
    pub do_query_expansion: bool,
    /// Whether the attention mask covers those mask tokens.
    pub attend_to_expansion_tokens: bool,
    /// Whether texts are lower-cased before tokenization.
    pub do_lower_case: bool,
    /// Tokens whose rows are removed from `skiplist_texts`.
    pub skiplist_words: Vec<String>,
    /// Columns of an embedding, where the file states them.
    pub embedding_dim: Option<usize>,
    /// Whether the graph takes `token_type_ids`, where the file states it.
    pub uses_token_type_ids: Option<bool>,
    /// Id of the mask token that expands queries, where the file states it.
    pub mask_token_id: Option<u32>,
    /// Id of the token that pads batches, where the file states it.
    pub pad_token_id: Option<u32>,
    /// Whether prefixes are markers or prompts.
    #[serde(skip_serializing_if = "is_default")]
    pub prefix_style: PrefixStyle,
    /// What happens to texts before tokenization.
    #[serde(skip_serializing_if = "is_default")]
    pub preparation: Preparation,
    /// What words of the skiplist mean that the vocabulary does not have.
    #[serde(skip_serializing_if = "is_default")]
    pub unknown_skiplist_words: UnknownWords,
    /// Which texts lose the rows of skiplist words.
    #[serde(skip_serializing_if = "is_default")]
    pub skiplist_texts: SkiplistTexts,
    /// The only tokens whose rows documents keep; empty for all.
    #[serde(skip_serializing_if = "is_default")]
    pub keep_only_token_ids: Vec<u32>,
    /// Whether the first token of a text has a row.
    #[serde(skip_serializing_if = "is_default")]
    pub first_row: FirstRow,
    /// Tokens that shorter queries are expanded to, where longer ones are
    /// encoded too; `None` for `query_length`.
    #[serde(skip_serializing_if = "is_default")]
    pub expansion_length: Option<usize>,
    /// Spelling of the token that expands queries; `None` for the mask token.
    #[serde(skip_serializing_if = "is_default")]
    pub expansion_token: Option<String>,
    /// The text that a pair becomes; `None` where pairs are two texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_template: Option<PairTemplate>,
    /// Prompts by name, of which one can be put in front of texts.
    #[serde(skip)]
    pub prompts: BTreeMap<String, String>,
    /// What files beside `tokenizer.json` say of the tokenizer.
    #[serde(skip_serializing_if = "TokenizerFacts::are_usual")]
    pub tokenizer: TokenizerFacts,
}

/// Python's `string.punctuation`, PyLate's default skiplist.
pub(crate) fn punctuation() -> Vec<String> {
    let signs = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    signs.chars().map(String::from).collect()
}

impl ModelConfig {
    /// Reads a configuration; `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::ConfigSyntax`] if `json` is not a JSON object,
    /// [`Error::ConfigValue`] if a value has the wrong type or is out of range,
    /// or if the object has none of the keys of a late-interaction model.
    pub fn from_json(file: &str, json: &[u8]) -> Result<Self> {
        Self::from_keys(&Keys::parse(file, json)?)
    }

    pub(crate) fn from_keys(keys: &Keys) -> Result<Self> {
        let own = [
            "query_prefix",
            "document_prefix",
            "query_length",
            "document_length",
        ];
        if !own.iter().any(|key| keys.has(key)) {
            return Err(keys.error(
                "query_prefix",
                "the configuration of a late-interaction model",
                "none of the keys `query_prefix`, `document_prefix`, `query_length`, `document_length`",
            ));
        }
        Self::read(keys)
    }

    /// Reads what an object states, which may be nothing.
    pub(crate) fn read(keys: &Keys) -> Result<Self> {
        let text = |key, default: &str| {
            Ok::<_, Error>(keys.string(key)?.unwrap_or_else(|| default.to_owned()))
        };
        Ok(Self {
            model_name: keys.string("model_name")?,
            query_prefix: text("query_prefix", "[Q] ")?,
            document_prefix: text("document_prefix", "[D] ")?,
            query_prefix_id: keys.id("query_prefix_id")?,
            document_prefix_id: keys.id("document_prefix_id")?,
            query_length: keys.count("query_length")?.unwrap_or(32),
            document_length: keys.count("document_length")?.unwrap_or(180),
            do_query_expansion: keys.boolean("do_query_expansion")?.unwrap_or(true),
            attend_to_expansion_tokens: keys
                .boolean("attend_to_expansion_tokens")?
                .unwrap_or(false),
            do_lower_case: keys.boolean("do_lower_case")?.unwrap_or(false),
            skiplist_words: keys.strings("skiplist_words")?.unwrap_or_else(punctuation),
            embedding_dim: keys.count("embedding_dim")?,
            uses_token_type_ids: keys.boolean("uses_token_type_ids")?,
            mask_token_id: keys.id("mask_token_id")?,
            pad_token_id: keys.id("pad_token_id")?,
            ..Self::empty(keys.file())
        })
    }

    /// The configuration of a model without prefixes, lengths, expansion and
    /// skiplist.
    pub(crate) fn empty(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            model_name: None,
            query_prefix: String::new(),
            document_prefix: String::new(),
            query_prefix_id: None,
            document_prefix_id: None,
            query_length: 0,
            document_length: 0,
            do_query_expansion: false,
            attend_to_expansion_tokens: false,
            do_lower_case: false,
            skiplist_words: Vec::new(),
            embedding_dim: None,
            uses_token_type_ids: None,
            mask_token_id: None,
            pad_token_id: None,
            prefix_style: PrefixStyle::default(),
            preparation: Preparation::default(),
            unknown_skiplist_words: UnknownWords::default(),
            skiplist_texts: SkiplistTexts::default(),
            keep_only_token_ids: Vec::new(),
            first_row: FirstRow::default(),
            expansion_length: None,
            expansion_token: None,
            pair_template: None,
            prompts: BTreeMap::new(),
            tokenizer: TokenizerFacts::default(),
        }
    }

    /// Most tokens of a text of this kind, including special tokens and prefix.
    pub fn length(&self, kind: TextKind) -> usize {
        match kind {
            TextKind::Query => self.query_length,
            TextKind::Document => self.document_length,
        }
    }

    /// The length that shorter queries are expanded to if queries have at most
    /// `most` tokens.
    pub(crate) fn expanded_length(&self, most: usize) -> usize {
        self.expansion_length
            .map_or(most, |length| length.min(most))
    }

    /// The marker or prompt of a text of this kind; empty for none.
    pub fn prefix(&self, kind: TextKind) -> &str {
        match kind {
            TextKind::Query => &self.query_prefix,
            TextKind::Document => &self.document_prefix,
        }
    }

    /// The marker's id, where the file states it.
    pub fn prefix_id(&self, kind: TextKind) -> Option<u32> {
        match kind {
            TextKind::Query => self.query_prefix_id,
            TextKind::Document => self.document_prefix_id,
        }
    }

    pub(crate) fn error(
        &self,
        key: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Error {
        Error::config_value(&self.file, key, expected, found)
    }

    /// The settings that determine the vectors, as JSON with a fixed order of
    /// keys. File and model name are left out: copies are the same model.
    pub(crate) fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_is_as_old_as_its_fingerprints() {
        let json = br#"{"query_prefix": "[Q] ", "skiplist_words": ["."], "model_name": "a"}"#;
        let mut config = ModelConfig::from_json("onnx_config.json", json).expect("it is valid");
        let expected = r#"{"query_prefix":"[Q] ","document_prefix":"[D] ","query_prefix_id":null,"document_prefix_id":null,"query_length":32,"document_length":180,"do_query_expansion":true,"attend_to_expansion_tokens":false,"do_lower_case":false,"skiplist_words":["."],"embedding_dim":null,"uses_token_type_ids":null,"mask_token_id":null,"pad_token_id":null}"#;
        assert_eq!(config.canonical(), expected);
        // What is found without being stated, and what no vector depends on.
        config.tokenizer = TokenizerFacts {
            file: "tokenizer_config.json".to_owned(),
            mask_token: Some("[MASK]".to_owned()),
            unknown_token: Some("<unk>".to_owned()),
            pad_token: Some("<pad>".to_owned()),
            truncation_side: Some(Side::Right),
            padding_side: Some(Side::Left),
            lower_case: Some(true),
            ..TokenizerFacts::default()
        };
        assert_eq!(config.canonical(), expected);
        config.tokenizer.mask_token = Some("[M]".to_owned());
        config.prefix_style = PrefixStyle::Text;
        config.expansion_length = Some(8);
        let other = config.canonical();
        let added =
            r#","prefix_style":"text","expansion_length":8,"tokenizer":{"mask_token":"[M]"}}"#;
        assert!(other.ends_with(added), "{other}");
    }
}
