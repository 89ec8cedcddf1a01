//! Stripping and lower-casing before tokenization, with a map from offsets in
//! the prepared text to offsets in the original.

use std::borrow::Cow;
use std::ops::Range;

/// A stripped and possibly lower-cased text.
pub(super) struct PreparedText<'a> {
    pub(super) text: Cow<'a, str>,
    /// Bytes that were stripped from the start.
    stripped: usize,
    /// For lower-cased texts: (offset in `text`, offset in the stripped text)
    /// of each character and of the end.
    map: Option<Vec<(usize, usize)>>,
}

impl<'a> PreparedText<'a> {
    /// The text as it is.
    pub(super) fn whole(text: &'a str) -> Self {
        Self {
            text: text.into(),
            stripped: 0,
            map: None,
        }
    }

    /// Strips as Python's `str.strip` does (sentence-transformers,
    /// `Transformer.tokenize`).
    pub(super) fn stripped(text: &'a str) -> Self {
        let left = text.trim_start_matches(is_python_space);
        Self {
            text: left.trim_end_matches(is_python_space).into(),
            stripped: text.len() - left.len(),
            map: None,
        }
    }

    /// Lower-cases as Python's `str.lower` does.
    pub(super) fn lower_cased(self) -> Self {
        let mut map = Vec::with_capacity(self.text.len() + 1);
        let mut lowered = 0;
        for (at, character) in self.text.char_indices() {
            map.push((lowered, at));
            // A final sigma is as long as any other.
            lowered += character.to_lowercase().map(char::len_utf8).sum::<usize>();
        }
        map.push((lowered, self.text.len()));
        Self {
            text: self.text.to_lowercase().into(),
            map: Some(map),
            ..self
        }
    }

    /// The bytes of the original text behind `span` of the prepared text,
    /// widened to whole characters.
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

// Python's `str.isspace` includes the separators U+001C to U+001F, which are
// not White_Space in Unicode.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_as_python_does() {
        let prepared = PreparedText::stripped("\u{1c}\u{a0} a b\u{1f}\n");
        assert_eq!(prepared.text, "a b");
        assert_eq!(prepared.original(0..1), 4..5);
        assert_eq!(PreparedText::stripped("\u{200b}a").text, "\u{200b}a");
    }

    #[test]
    fn maps_lower_cased_offsets_back() {
        // İ is two bytes and becomes i + U+0307, three bytes.
        let prepared = PreparedText::stripped(" İzmir ΣΑΣ").lower_cased();
        assert_eq!(prepared.text, "i\u{307}zmir σας");
        assert_eq!(prepared.original(0..3), 1..3);
        assert_eq!(prepared.original(3..4), 3..4);
        let end = prepared.text.len();
        assert_eq!(prepared.original(end - 2..end), 12..14);
    }

    #[test]
    fn spans_are_widened_to_characters() {
        let prepared = PreparedText::stripped("é");
        assert_eq!(prepared.original(1..1), 0..2);
    }
}
