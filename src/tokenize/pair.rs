//! Pairs of texts in one input, as cross-encoders read them.
//!
//! Source: transformers 5, `PreTrainedTokenizerFast` with truncation
//! `longest_first`, as sentence-transformers 6.2 calls it.

use tokenizers::utils::truncation::{TruncationParams, TruncationStrategy, truncate_encodings};
use tokenizers::{Encoding, PostProcessor};

use super::{Inner, Layout, TextTokenizer, TokenRole, TokenizedText, Truncation, TruncationPolicy};
use crate::error::{Error, Result};

/// A query and a document that are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPair<'a> {
    /// The first text.
    pub query: &'a str,
    /// The second text.
    pub document: &'a str,
}

impl TextTokenizer {
    /// Tokenizes a pair; `index` names it in messages.
    pub(crate) fn tokenize_pair(
        &self,
        index: usize,
        pair: TextPair<'_>,
        layout: &Layout,
    ) -> Result<TokenizedText> {
        let inner = &*self.inner;
        if let Some(template) = &inner.pair_template {
            return inner.tokenize_in(template, (index, pair), layout);
        }
        let failed = |source| Error::tokenization(index, source);
        let prompt = inner.prefixes.prompt(layout);
        let query = [prompt, pair.query].concat();
        let first = inner.encoded(&query).map_err(failed)?;
        let second = inner.encoded(pair.document).map_err(failed)?;
        let found = first.len() + second.len();
        let room = layout.length.saturating_sub(inner.added_to_pairs());
        if found > room && layout.policy == TruncationPolicy::Error {
            return Err(Error::text_too_long(index, room, found));
        }
        let joined = inner.join(first, second, room).map_err(failed)?;
        Ok(inner.pair(&joined, found))
    }
}

impl Inner {
    /// Special tokens that the post-processor adds to pairs.
    pub(super) fn added_to_pairs(&self) -> usize {
        let processor = self.post_processor.as_ref();
        processor.map_or(0, |processor| processor.added_tokens(true))
    }

    fn encoded(&self, text: &str) -> tokenizers::Result<Encoding> {
        let prepared = self.prepare(text);
        self.tokenizer.encode(prepared.text.as_ref(), false)
    }

    /// Truncates two texts to `room` tokens together and adds special tokens.
    fn join(&self, first: Encoding, second: Encoding, room: usize) -> tokenizers::Result<Encoding> {
        let parameters = TruncationParams {
            direction: self.direction,
            max_length: room,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        let (first, second) = truncate_encodings(first, Some(second), &parameters)?;
        let mut parts = [Some(first), second].map(|part| {
            let mut part = part.unwrap_or_default();
            // The post-processor would process what was cut off, too.
            part.take_overflowing();
            part
        });
        parts[1].set_type_ids(vec![1; parts[1].len()]);
        let [first, second] = parts;
        match &self.post_processor {
            Some(processor) => processor.process(first, Some(second), true),
            None => Ok(Encoding::merge([first, second], false)),
        }
    }

    fn pair(&self, joined: &Encoding, found: usize) -> TokenizedText {
        let role = |&special: &u32| match special {
            0 => TokenRole::Text,
            _ => TokenRole::Special,
        };
        let roles: Vec<_> = joined.get_special_tokens_mask().iter().map(role).collect();
        let kept_tokens = roles
            .iter()
            .filter(|&&role| role == TokenRole::Text)
            .count();
        let count = joined.len();
        TokenizedText {
            input_ids: joined.get_ids().to_vec(),
            attention_mask: vec![true; count],
            kept: vec![true; count],
            // Positions in one of two texts would be taken for those of one.
            spans: vec![(0, 0); count],
            second: joined.get_type_ids().iter().position(|&id| id == 1),
            truncation: Truncation {
                kept_tokens,
                dropped_tokens: found.saturating_sub(kept_tokens),
            },
            roles,
        }
    }
}
