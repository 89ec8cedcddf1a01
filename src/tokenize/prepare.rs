//! What happens to a text before its tokenizer sees it, with a way back from
//! offsets in the prepared text to offsets in the original.

use std::borrow::Cow;
use std::ops::Range;

/// A stripped and, where wanted, lower-cased text.
pub(super) struct PreparedText<'a> {
    pub(super) text: Cow<'a, str>,
    stripped: usize,
    // For lower-cased texts: (offset in `text`, offset in the stripped text)
    // at each character and at the end.
    map: Option<Vec<(usize, usize)>>,
}

/// Strips as Python's `str.strip` does, and lower-cases as `str.lower` does
/// (sentence-transformers, `Transformer.tokenize`).
pub(super) fn prepare(text: &str, lower_case: bool) -> PreparedText<'_> {
    let left = text.trim_start_matches(is_python_space);
    let stripped = text.len() - left.len();
    let inner = left.trim_end_matches(is_python_space);
    if !lower_case {
        return PreparedText {
            text: Cow::Borrowed(inner),
            stripped,
            map: None,
        };
    }
    let mut map = Vec::with_capacity(inner.len() + 1);
    let mut lowered = 0;
    for (at, character) in inner.char_indices() {
        map.push((lowered, at));
        // A final sigma has the same length as the one in mid-word.
        lowered += character.to_lowercase().map(char::len_utf8).sum::<usize>();
    }
    map.push((lowered, inner.len()));
    PreparedText {
        text: Cow::Owned(inner.to_lowercase()),
        stripped,
        map: Some(map),
    }
}

impl PreparedText<'_> {
    /// The bytes of the original text that `span` of the prepared text came
    /// from, widened to whole characters.
    pub(super) fn original(&self, span: Range<usize>) -> Range<usize> {
        let (start, end) = match &self.map {
            None => (
                self.text.floor_char_boundary(span.start),
                self.text.ceil_char_boundary(span.end),
            ),
            Some(map) => {
                let first = map.partition_point(|&(low, _)| low <= span.start);
                let last = map.partition_point(|&(low, _)| low < span.end);
                (
                    map[first.saturating_sub(1)].1,
                    map[last.min(map.len() - 1)].1,
                )
            }
        };
        start + self.stripped..end.max(start) + self.stripped
    }
}

// `str.isspace` counts the four separators U+001C to U+001F, which are not
// White_Space in Unicode.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_what_python_strips() {
        let prepared = prepare("\u{1c}\u{a0} a b\u{1f}\n", false);
        assert_eq!(prepared.text, "a b");
        assert_eq!(prepared.original(0..1), 4..5);
        assert_eq!(prepare("\u{200b}a", false).text, "\u{200b}a");
    }

    #[test]
    fn maps_lower_cased_offsets_back() {
        // İ is two bytes and becomes i + U+0307, three bytes.
        let prepared = prepare(" İzmir ΣΑΣ", true);
        assert_eq!(prepared.text, "i\u{307}zmir σας");
        assert_eq!(prepared.original(0..3), 1..3);
        assert_eq!(prepared.original(3..4), 3..4);
        let end = prepared.text.len();
        assert_eq!(prepared.original(end - 2..end), 12..14);
    }

    #[test]
    fn widens_to_characters() {
        let prepared = prepare("é", false);
        assert_eq!(prepared.original(1..1), 0..2);
    }
}
