//! From texts to token ids, exactly as in the library that a model is of.
//!
//! Sources: PyLate 1.6, `ColBERT.tokenize`, over sentence-transformers 5,
//! `Transformer.tokenize`; sentence-transformers 6.2, `Transformer.preprocess`
//! and `MultiVectorMask`.

mod adjust;
mod check;
mod chunks;
mod pair;
mod prefix;
mod prepare;
mod rows;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod vocabulary;
mod word_cache;

use std::borrow::Cow;
use std::sync::Arc;

use multivec_graph::describe_wrong_file;
use tokenizers::{PostProcessor, PostProcessorWrapper, Tokenizer, TruncationDirection};

use crate::config::{ModelConfig, PairTemplate, Preparation, Side, TextKind};
use crate::error::{Error, Result};
use adjust::adjust;
use chunks::Chunked;
pub use pair::TextPair;
use prefix::Prefixes;
use prepare::PreparedText;
use rows::Rows;
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
    /// Most tokens, including special tokens and prefix.
    pub(crate) length: usize,
    /// The length that shorter texts are expanded to with mask tokens.
    pub(crate) expanded: Option<usize>,
    pub(crate) policy: TruncationPolicy,
    /// The prompt, among those with names; `None` for that of the kind.
    pub(crate) prompt: Option<usize>,
    /// Tokens of the prompt, with the special tokens in front of it.
    pub(crate) prompt_tokens: usize,
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
    prefixes: Prefixes,
    rows: Rows,
    preparation: Preparation,
    lower_case: bool,
    pair_template: Option<PairTemplate>,
    attend_to_expansion: bool,
    config_file: String,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`; `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] if it cannot be parsed, has an empty
    /// vocabulary, or pads on the left where that would move a marker or
    /// expansion, [`Error::ConfigValue`] if the configuration names a marker or
    /// an id that is not in the vocabulary, or contradicts the tokenizer.
    pub fn from_json(file: &str, json: &[u8], config: &ModelConfig) -> Result<Self> {
        let invalid = |source| Error::invalid_tokenizer(file, source);
        check::check(json).map_err(|error| match describe_wrong_file(json) {
            Some(found) => invalid(format!("found {found}").into()),
            None => invalid(error.into()),
        })?;
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(invalid)?;
        adjust(file, &mut tokenizer, config)?;
        let ids = SpecialIds::resolve(file, &tokenizer, config)?;
        let direction = match config.tokenizer.truncation_side {
            Some(Side::Left) => TruncationDirection::Left,
            Some(Side::Right) => TruncationDirection::Right,
            None => tokenizer
                .get_truncation()
                .map_or(TruncationDirection::Right, |params| params.direction),
        };
        let prefixes = Prefixes::resolve(file, &tokenizer, config)?;
        let rows = Rows::resolve(&tokenizer, config);
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
                prefixes,
                rows,
                preparation: config.preparation,
                lower_case: config.do_lower_case,
                pair_template: config.pair_template.clone(),
                attend_to_expansion: config.attend_to_expansion_tokens,
                config_file: config.file.clone(),
            }),
        })
    }

    /// The spelling of an id in the vocabulary.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.tokenizer.id_to_token(id)
    }

    /// The id of a spelling in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.tokenizer.token_to_id(token)
    }

    /// The id of words outside of the vocabulary.
    pub(crate) fn unknown_id(&self) -> Option<u32> {
        self.inner.ids.unknown
    }

    /// The id of the token that pads batches.
    pub fn pad_id(&self) -> u32 {
        self.inner.ids.pad
    }

    /// The ids of tokens that stand for no word: those that are put around a
    /// text, that of padding, and that of words outside of the vocabulary.
    ///
    /// # Errors
    /// [`Error::Tokenization`] if the tokenizer fails.
    pub(crate) fn wordless_ids(&self) -> Result<Vec<u32>> {
        let around = self.inner.process("", usize::MAX);
        let mut ids = around.map_err(|source| Error::tokenization(0, source))?.ids;
        ids.push(self.pad_id());
        ids.extend(self.unknown_id());
        Ok(ids)
    }

    /// The largest id of the vocabulary.
    pub fn largest_id(&self) -> u32 {
        self.inner.ids.largest
    }

    /// The id of the marker of a text of this kind, if it has one.
    pub fn prefix_id(&self, kind: TextKind) -> Option<u32> {
        self.inner.prefixes.marker(kind)
    }

    /// The position of a prompt among those that the model names.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there is none of this name.
    pub(crate) fn prompt_index(&self, name: &str) -> Result<usize> {
        self.inner.prefixes.index(name)
    }

    /// Tokens of a prompt, with the special tokens in front of it; 0 without a
    /// prompt.
    ///
    /// # Errors
    /// [`Error::Tokenization`] if the tokenizer fails.
    pub(crate) fn prompt_tokens(&self, kind: TextKind, prompt: Option<usize>) -> Result<usize> {
        let inner = &*self.inner;
        let text = inner.prefixes.text(kind, prompt);
        if text.is_empty() {
            return Ok(0);
        }
        let prepared = inner.prepare(text);
        let tokens = inner.process(&prepared.text, usize::MAX);
        let roles = tokens
            .map_err(|source| Error::tokenization(0, source))?
            .roles;
        // The special token that ends a text does not end a prompt.
        let end = usize::from(roles.last() == Some(&TokenRole::Special));
        Ok(roles.len() - end)
    }

    /// Special tokens and marker of a text of this kind.
    pub(crate) fn overhead(&self, kind: TextKind) -> usize {
        self.inner.added + usize::from(self.inner.prefixes.marker(kind).is_some())
    }

    /// The mask token's id.
    ///
    /// # Errors
    /// [`Error::ConfigValue`] if neither the configuration nor the vocabulary
    /// has one.
    pub fn mask_id(&self) -> Result<u32> {
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
        let prompt = inner.prefixes.prompt(layout);
        let text = match prompt {
            "" => Cow::Borrowed(text),
            prompt => Cow::Owned([prompt, text].concat()),
        };
        let prepared = inner.prepare(&text);
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
        let mut spans: Vec<(usize, usize)> = offsets
            .into_iter()
            .zip(&mut roles)
            .map(|((start, end), role)| {
                if *role != TokenRole::Text {
                    return (0, 0);
                }
                let span = prepared.original(start..end);
                if span.end <= prompt.len() && !prompt.is_empty() {
                    *role = TokenRole::Prefix;
                    return (0, 0);
                }
                // A token may begin in the prompt.
                (
                    span.start.saturating_sub(prompt.len()),
                    span.end - prompt.len(),
                )
            })
            .collect();
        let count = |wanted| roles.iter().filter(|&&role| role == wanted).count();
        let (of_prompt, kept_tokens) = (count(TokenRole::Prefix), count(TokenRole::Text));
        if found > room && layout.policy == TruncationPolicy::Error {
            let (most, found) = (room.saturating_sub(of_prompt), found - of_prompt);
            return Err(Error::text_too_long(index, most, found));
        }
        let truncation = Truncation {
            kept_tokens,
            dropped_tokens: found.saturating_sub(of_prompt + kept_tokens),
        };
        if let Some(prefix) = inner.prefixes.marker(layout.kind) {
            let at = ids.len().min(1);
            ids.insert(at, prefix);
            roles.insert(at, TokenRole::Prefix);
            spans.insert(at, (0, 0));
        }
        let mut tokenized = TokenizedText {
            attention_mask: vec![true; ids.len()],
            kept: inner.rows.of(layout.kind, &ids),
            input_ids: ids,
            roles,
            spans,
            second: None,
            truncation,
        };
        if let Some(length) = layout.expanded
            && length > tokenized.len()
        {
            self.expand(&mut tokenized, length)?;
        }
        Ok(tokenized)
    }

    fn expand(&self, text: &mut TokenizedText, length: usize) -> Result<()> {
        let mask = self.mask_id()?;
        text.input_ids.resize(length, mask);
        text.attention_mask
            .resize(length, self.inner.attend_to_expansion);
        let kept = self.inner.rows.keep(TextKind::Query, mask);
        text.kept.resize(length, kept);
        text.roles.resize(length, TokenRole::Expansion);
        text.spans.resize(length, (0, 0));
        Ok(())
    }
}

impl Inner {
    fn prepare<'a>(&self, text: &'a str) -> PreparedText<'a> {
        match (self.preparation, self.lower_case) {
            (Preparation::Verbatim, _) => PreparedText::whole(text),
            (_, false) => PreparedText::stripped(text),
            (_, true) => PreparedText::stripped(text).lower_cased(),
        }
    }

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
