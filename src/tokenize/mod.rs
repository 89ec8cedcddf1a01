//! From texts to token ids, exactly as in PyLate.
//!
//! Source: PyLate 1.6, `ColBERT.tokenize`, over sentence-transformers'
//! `Transformer.tokenize`.

mod check;
mod chunks;
mod prepare;
mod text;
mod vocabulary;
mod word_cache;

use std::sync::Arc;

use tokenizers::{PostProcessor, PostProcessorWrapper, Tokenizer, TruncationDirection};

use crate::config::{ModelConfig, TextKind};
use crate::error::{Error, Result};
use chunks::Chunked;
use prepare::PreparedText;
pub use text::{TokenRole, TokenizedText, Truncation};
use vocabulary::SpecialIds;
use word_cache::WordCache;

/// What to do with a text that is longer than the model accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum TruncationPolicy {
    /// Cut it off, and report how many tokens.
    #[default]
    Truncate,
    /// Refuse it.
    Error,
}

/// How texts of one kind are tokenized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) kind: TextKind,
    /// Most tokens, including special tokens and marker.
    pub(crate) length: usize,
    /// Whether texts are expanded to `length` with mask tokens.
    pub(crate) expand: bool,
    pub(crate) policy: TruncationPolicy,
}

/// The tokens of a truncated text and the special tokens around them.
#[derive(Debug, Default, PartialEq)]
struct Tokens {
    ids: Vec<u32>,
    roles: Vec<TokenRole>,
    /// Start and end of each token in the text, in bytes.
    offsets: Vec<(usize, usize)>,
    /// Tokens of the whole text, without special tokens.
    found: usize,
}

impl Tokens {
    fn add_special(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        self.roles.resize(self.ids.len(), TokenRole::Special);
        self.offsets.resize(self.ids.len(), (0, 0));
    }
}

/// A tokenizer with the special tokens of a late-interaction model.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct TextTokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    /// Without its post-processor, which runs after truncation.
    tokenizer: Tokenizer,
    post_processor: Option<PostProcessorWrapper>,
    direction: TruncationDirection,
    /// Approximate bytes of the chunks that the tokenizer is given.
    chunk: usize,
    /// For tokenizers whose words are independent of each other.
    words: Option<WordCache>,
    /// Special tokens that the post-processor adds.
    added: usize,
    ids: SpecialIds,
    lower_case: bool,
    attend_to_expansion: bool,
    config_file: String,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`; `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] if it cannot be parsed, has an empty
    /// vocabulary or pads on the left, [`Error::ConfigValue`] if the
    /// configuration names a marker or an id that is not in the vocabulary.
    pub fn from_json(file: &str, json: &[u8], config: &ModelConfig) -> Result<Self> {
        let invalid = |source| Error::invalid_tokenizer(file, source);
        check::check(json).map_err(|error| invalid(error.into()))?;
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(invalid)?;
        let ids = SpecialIds::resolve(file, &tokenizer, config)?;
        let direction = tokenizer
            .get_truncation()
            .map_or(TruncationDirection::Right, |params| params.direction);
        let post_processor = tokenizer.get_post_processor().cloned();
        let added = post_processor
            .as_ref()
            .map_or(0, |processor| processor.added_tokens(false));
        tokenizer.with_truncation(None).map_err(invalid)?;
        tokenizer.with_padding(None);
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        let chunk = chunks::size(&tokenizer, direction);
        let words = if chunk == usize::MAX {
            None
        } else {
            WordCache::new(&tokenizer, post_processor.as_ref())
        };
        Ok(Self {
            inner: Arc::new(Inner {
                chunk,
                words,
                tokenizer,
                post_processor,
                direction,
                added,
                ids,
                lower_case: config.do_lower_case,
                attend_to_expansion: config.attend_to_expansion_tokens,
                config_file: config.file.clone(),
            }),
        })
    }

    /// The spelling of an id in the vocabulary.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.tokenizer.id_to_token(id)
    }

    /// The id of the token that pads batches.
    pub fn pad_id(&self) -> u32 {
        self.inner.ids.pad
    }

    /// The largest id of the vocabulary.
    pub fn largest_id(&self) -> u32 {
        self.inner.ids.largest
    }

    /// Special tokens and marker of a text of this kind.
    pub(crate) fn overhead(&self, kind: TextKind) -> usize {
        self.inner.added + usize::from(self.inner.ids.prefix(kind).is_some())
    }

    /// The mask token's id.
    ///
    /// # Errors
    /// [`Error::ConfigValue`] if neither the configuration nor the vocabulary
    /// has one.
    pub(crate) fn mask_id(&self) -> Result<u32> {
        self.inner.ids.mask.ok_or_else(|| {
            Error::config_value(
                &self.inner.config_file,
                "mask_token_id",
                "the id of the mask token that expands queries",
                "none, and neither [MASK] nor <mask> in the vocabulary",
            )
        })
    }

    /// Tokenizes one text; `index` names it in messages.
    pub(crate) fn tokenize(
        &self,
        index: usize,
        text: &str,
        layout: &Layout,
    ) -> Result<TokenizedText> {
        let inner = &*self.inner;
        let mut prepared = PreparedText::stripped(text);
        if inner.lower_case {
            prepared = prepared.lower_cased();
        }
        let room = layout.length.saturating_sub(self.overhead(layout.kind));
        let is_short = |_: &&WordCache| prepared.text.len() <= chunks::CHUNK;
        let Tokens {
            mut ids,
            mut roles,
            offsets,
            found,
        } = match inner.words.as_ref().filter(is_short) {
            Some(words) => words.encode(&inner.tokenizer, &prepared.text, room),
            None => inner.process(&prepared.text, room),
        }
        .map_err(|source| Error::tokenization(index, source))?;
        if found > room && layout.policy == TruncationPolicy::Error {
            return Err(Error::text_too_long(index, room, found));
        }
        let kept = roles.iter().filter(|&&role| role == TokenRole::Text);
        let kept_tokens = kept.count();
        let truncation = Truncation {
            kept_tokens,
            dropped_tokens: found - kept_tokens,
        };
        let mut spans: Vec<(usize, usize)> = offsets
            .into_iter()
            .zip(&roles)
            .map(|((start, end), role)| match role {
                TokenRole::Text => {
                    let span = prepared.original(start..end);
                    (span.start, span.end)
                }
                _ => (0, 0),
            })
            .collect();
        if let Some(prefix) = inner.ids.prefix(layout.kind) {
            let at = ids.len().min(1);
            ids.insert(at, prefix);
            roles.insert(at, TokenRole::Prefix);
            spans.insert(at, (0, 0));
        }
        let kept = match layout.kind {
            TextKind::Query => vec![true; ids.len()],
            TextKind::Document => ids
                .iter()
                .map(|id| inner.ids.skiplist.binary_search(id).is_err())
                .collect(),
        };
        let mut tokenized = TokenizedText {
            attention_mask: vec![true; ids.len()],
            kept,
            input_ids: ids,
            roles,
            spans,
            truncation,
        };
        if layout.expand {
            self.expand(&mut tokenized, layout.length)?;
        }
        Ok(tokenized)
    }

    fn expand(&self, text: &mut TokenizedText, length: usize) -> Result<()> {
        let mask = self.mask_id()?;
        text.input_ids.resize(length, mask);
        text.attention_mask
            .resize(length, self.inner.attend_to_expansion);
        text.kept.resize(length, true);
        text.roles.resize(length, TokenRole::Expansion);
        text.spans.resize(length, (0, 0));
        Ok(())
    }
}

impl Inner {
    /// Truncates a text to `room` tokens and adds the special tokens.
    fn process(&self, text: &str, room: usize) -> tokenizers::Result<Tokens> {
        let Chunked {
            start: mut encoding,
            found,
        } = chunks::encode(&self.tokenizer, self.chunk, text, room)?;
        encoding.truncate(room, 0, self.direction);
        // The post-processor would process what was cut off, too.
        encoding.take_overflowing();
        if let Some(processor) = &self.post_processor {
            encoding = processor.process(encoding, None, true)?;
        }
        let role = |&special: &u32| match special {
            0 => TokenRole::Text,
            _ => TokenRole::Special,
        };
        let roles = encoding.get_special_tokens_mask().iter().map(role);
        Ok(Tokens {
            ids: encoding.get_ids().to_vec(),
            roles: roles.collect(),
            offsets: encoding.get_offsets().to_vec(),
            found,
        })
    }
}
