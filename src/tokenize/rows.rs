//! Which tokens become rows of an embedding.

use tokenizers::Tokenizer;

use super::vocabulary::unknown_id;
use crate::config::{FirstRow, ModelConfig, SkiplistTexts, TextKind, UnknownWords};

pub(super) struct Rows {
    /// Sorted.
    skiplist: Vec<u32>,
    skiplist_texts: SkiplistTexts,
    /// The only tokens that documents keep, sorted; empty for all.
    only: Vec<u32>,
    first: FirstRow,
}

impl Rows {
    pub(super) fn resolve(tokenizer: &Tokenizer, config: &ModelConfig) -> Self {
        let otherwise = match config.unknown_skiplist_words {
            UnknownWords::Ignored => None,
            UnknownWords::UnknownToken => unknown_id(tokenizer, config),
        };
        let words = config.skiplist_words.iter();
        let skiplist = words.filter_map(|word| tokenizer.token_to_id(word).or(otherwise));
        Self {
            skiplist: sorted(skiplist.collect()),
            skiplist_texts: config.skiplist_texts,
            only: sorted(config.keep_only_token_ids.clone()),
            first: config.first_row,
        }
    }

    /// Which of a text's tokens do.
    pub(super) fn of(&self, kind: TextKind, ids: &[u32]) -> Vec<bool> {
        let mut kept: Vec<bool> = ids.iter().map(|&id| self.keep(kind, id)).collect();
        if let (FirstRow::Dropped, Some(first)) = (self.first, kept.first_mut()) {
            *first = false;
        }
        kept
    }

    pub(super) fn keep(&self, kind: TextKind, id: u32) -> bool {
        let has = |ids: &[u32]| ids.binary_search(&id).is_ok();
        let is_skipped = self.skiplist_texts.include(kind) && has(&self.skiplist);
        let is_left_out = kind == TextKind::Document && !self.only.is_empty() && !has(&self.only);
        !is_skipped && !is_left_out
    }
}

fn sorted(mut ids: Vec<u32>) -> Vec<u32> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
