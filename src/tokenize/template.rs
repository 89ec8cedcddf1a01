//! Pairs of texts as one text, as rerankers read them that generate text.
//!
//! Source: sentence-transformers 6.2, `base/modules/transformer.py`
//! (`_process_chat_messages`, `_restore_chat_template_suffix`).

use super::{Inner, Layout, TextPair, TokenRole, TokenizedText, Truncation, TruncationPolicy};
use crate::config::{Filling, PairTemplate};
use crate::error::{Error, Result};

/// Texts that have no token in common at their ends.
const FILLERS: [&str; 2] = ["0", "1 2 3 4"];

impl Inner {
    /// Tokenizes a pair in a template; `index` names it in messages.
    ///
    /// What follows the texts in the template is at the end of those that are
    /// cut off, too.
    pub(super) fn tokenize_in(
        &self,
        template: &PairTemplate,
        (index, pair): (usize, TextPair<'_>),
        layout: &Layout,
    ) -> Result<TokenizedText> {
        let failed = |source| Error::tokenization(index, source);
        let instruction = self.prefixes.prompt(layout);
        let ids = |query, document| {
            let text = template.fill(Filling {
                query,
                document,
                instruction,
            });
            let encoding = self
                .tokenizer
                .encode(self.prepare(&text).text.as_ref(), false);
            encoding.map_err(failed)
        };
        let mut encoding = ids(pair.query, pair.document)?;
        let (found, room) = (encoding.len(), layout.length);
        if found > room && layout.policy == TruncationPolicy::Error {
            return Err(Error::text_too_long(index, room, found));
        }
        encoding.truncate(room, 0, self.direction);
        let mut input_ids = encoding.get_ids().to_vec();
        if input_ids.len() == room {
            let [one, other] = FILLERS.map(|filler| ids(filler, filler));
            let (one, other) = (one?, other?);
            restore(&mut input_ids, suffix(one.get_ids(), other.get_ids()));
        }
        let count = input_ids.len();
        Ok(TokenizedText {
            attention_mask: vec![true; count],
            kept: vec![true; count],
            spans: vec![(0, 0); count],
            roles: vec![TokenRole::Text; count],
            second: None,
            truncation: Truncation {
                kept_tokens: count,
                dropped_tokens: found.saturating_sub(count),
            },
            input_ids,
        })
    }
}

/// The tokens that both end with; none if these are all of one.
fn suffix<'a>(one: &'a [u32], other: &[u32]) -> &'a [u32] {
    let pairs = one.iter().rev().zip(other.iter().rev());
    let count = pairs.take_while(|(one, other)| one == other).count();
    if count < one.len().min(other.len()) {
        &one[one.len() - count..]
    } else {
        &[]
    }
}

fn restore(ids: &mut [u32], suffix: &[u32]) {
    let kept = suffix.len().min(ids.len());
    let start = ids.len() - kept;
    ids[start..].copy_from_slice(&suffix[suffix.len() - kept..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_templates_replace_the_last_tokens() {
        assert_eq!(suffix(&[1, 5, 8, 9], &[1, 6, 7, 8, 9]), [8, 9]);
        assert!(suffix(&[8, 9], &[1, 8, 9]).is_empty());
        let mut ids = [1, 2, 3];
        restore(&mut ids, &[8, 9]);
        assert_eq!(ids, [1, 8, 9]);
        restore(&mut ids, &[4, 5, 6, 7]);
        assert_eq!(ids, [5, 6, 7]);
    }
}
