//! Texts to token ids, exactly as PyLate makes them.
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
pub use text::{TokenRole, TokenizedText, Truncation};
use vocabulary::SpecialIds;
use word_cache::Words;

/// What to do with a text that is longer than the model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TruncationPolicy {
    /// Cut it off and report how much.
    #[default]
    Truncate,
    /// Refuse it.
    Error,
}

/// How texts of one kind are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) kind: TextKind,
    /// Most tokens, special tokens and marker included.
    pub(crate) length: usize,
    /// Whether a query is filled up to `length`.
    pub(crate) expand: bool,
    pub(crate) policy: TruncationPolicy,
}

/// Tokens of a text between special ones.
#[derive(Debug, Default, PartialEq)]
struct Tokens {
    ids: Vec<u32>,
    roles: Vec<TokenRole>,
    /// The bytes of the text that each stands for.
    offsets: Vec<(usize, usize)>,
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
    // Without its post-processor, which runs after truncation.
    tokenizer: Tokenizer,
    post_processor: Option<PostProcessorWrapper>,
    direction: TruncationDirection,
    /// Bytes of the pieces that it is given, about.
    piece: usize,
    /// Where words are apart, those that were tokenized before.
    words: Option<Words>,
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
    /// [`Error::InvalidTokenizer`] if it cannot be parsed,
    /// [`Error::ConfigValue`] if it contradicts the configuration: a marker
    /// that is not in the vocabulary, an id beyond it, lengths that leave no
    /// room for the special tokens, or padding on the left.
    pub fn from_json(file: &str, json: &[u8], config: &ModelConfig) -> Result<Self> {
        let invalid = |source| Error::InvalidTokenizer {
            file: file.to_owned(),
            source,
        };
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
        let piece = chunks::size(&tokenizer, direction);
        let words = match piece {
            usize::MAX => None,
            _ => Words::new(&tokenizer, post_processor.as_ref()),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                piece,
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

    /// The token of an id, as the vocabulary spells it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.tokenizer.id_to_token(id)
    }

    /// The id that pads batches.
    pub fn pad_id(&self) -> u32 {
        self.inner.ids.pad
    }

    /// The largest id of the vocabulary.
    pub fn largest_id(&self) -> u32 {
        self.inner.ids.largest
    }

    /// Fewest tokens of a text of this kind: the special ones and the marker.
    pub(crate) fn overhead(&self, kind: TextKind) -> usize {
        self.inner.added + usize::from(self.inner.ids.prefix(kind).is_some())
    }

    /// The mask token's id.
    ///
    /// # Errors
    /// [`Error::ConfigValue`] where neither configuration nor vocabulary have
    /// one.
    pub(crate) fn mask_id(&self) -> Result<u32> {
        self.inner.ids.mask.ok_or_else(|| Error::ConfigValue {
            file: self.inner.config_file.clone(),
            key: "mask_token_id",
            expected: "the id of the token that fills up queries".to_owned(),
            found: "none, and neither [MASK] nor <mask> in the vocabulary".to_owned(),
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
        let fail = |source| Error::Tokenization { index, source };
        let prepared = prepare::prepare(text, inner.lower_case);
        let room = layout.length.saturating_sub(self.overhead(layout.kind));
        let is_short = |_: &&Words| prepared.text.len() <= chunks::PIECE;
        let (tokens, found) = match inner.words.as_ref().filter(is_short) {
            Some(words) => words.encode(&inner.tokenizer, &prepared.text, room),
            None => inner.process(&prepared.text, room),
        }
        .map_err(fail)?;
        if found > room && layout.policy == TruncationPolicy::Error {
            return Err(Error::TextTooLong {
                index,
                expected: room,
                found,
            });
        }
        let Tokens {
            mut ids,
            mut roles,
            offsets,
        } = tokens;
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
    /// The first tokens of a text, as many as there is room for, between special
    /// ones, and how many of the text's there are in all.
    fn process(&self, text: &str, room: usize) -> tokenizers::Result<(Tokens, usize)> {
        let tokenizer = (&self.tokenizer, self.piece);
        let (mut encoding, found) = chunks::encode(tokenizer, text, room)?;
        encoding.truncate(room, 0, self.direction);
        // What was cut off would be post-processed as well, for nothing.
        encoding.take_overflowing();
        if let Some(processor) = &self.post_processor {
            encoding = processor.process(encoding, None, true)?;
        }
        let role = |&special: &u32| match special {
            0 => TokenRole::Text,
            _ => TokenRole::Special,
        };
        let roles = encoding.get_special_tokens_mask().iter().map(role);
        let tokens = Tokens {
            ids: encoding.get_ids().to_vec(),
            roles: roles.collect(),
            offsets: encoding.get_offsets().to_vec(),
        };
        Ok((tokens, found))
    }
}
