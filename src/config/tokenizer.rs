//! What the files beside `tokenizer.json` say of a tokenizer.

use std::collections::BTreeMap;

use serde::Serialize;

use super::layout::{Side, is_default};

/// Facts from `tokenizer_config.json`, `special_tokens_map.json` and
/// `added_tokens.json`, which `tokenizer.json` does not state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenizerFacts {
    /// The file that states the sides and `lower_case`, for messages.
    #[serde(skip)]
    pub file: String,
    /// Spelling of the mask token.
    #[serde(skip_serializing_if = "is_found_anyway")]
    pub mask_token: Option<String>,
    /// Spelling of the token that ends a text; it expands queries where there
    /// is no mask token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eos_token: Option<String>,
    /// Spelling of the token that stands for unknown words.
    #[serde(skip_serializing_if = "is_found_anyway")]
    pub unknown_token: Option<String>,
    /// Spelling of the token that pads batches. No vector depends on it.
    #[serde(skip)]
    pub pad_token: Option<String>,
    /// Added tokens, which `tokenizer.json` may lack, and their ids.
    #[serde(skip_serializing_if = "is_default")]
    pub added_tokens: BTreeMap<String, u32>,
    /// Which side of a text is cut off.
    #[serde(skip_serializing_if = "is_right")]
    pub truncation_side: Option<Side>,
    /// Which side of a text is padded.
    #[serde(skip)]
    pub padding_side: Option<Side>,
    /// Whether the tokenizer lower-cases texts.
    #[serde(skip)]
    pub lower_case: Option<bool>,
}

impl TokenizerFacts {
    /// Whether they change nothing that a fingerprint depends on.
    pub(super) fn are_usual(&self) -> bool {
        is_found_anyway(&self.mask_token)
            && is_found_anyway(&self.unknown_token)
            && self.eos_token.is_none()
            && self.added_tokens.is_empty()
            && is_right(&self.truncation_side)
    }
}

/// Spellings that are looked up in the vocabulary where the files are silent.
fn is_found_anyway(token: &Option<String>) -> bool {
    let usual = ["[MASK]", "<mask>", "[UNK]", "<unk>"];
    token.as_deref().is_none_or(|token| usual.contains(&token))
}

fn is_right(side: &Option<Side>) -> bool {
    *side != Some(Side::Left)
}
