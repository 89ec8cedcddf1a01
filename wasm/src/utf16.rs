//! Positions in JavaScript strings, which count UTF-16 code units.

use std::ops::Range;

/// Turns byte positions of a text into UTF-16 positions.
pub struct Utf16Index {
    // The position of each byte, that of its character's start.
    positions: Vec<u32>,
}

impl Utf16Index {
    /// Reads `text` as far as the byte `end`; a text can be far longer than
    /// what a model takes of it.
    pub fn new(text: &str, end: usize) -> Self {
        let mut positions = Vec::with_capacity(end.min(text.len()) + 1);
        let mut units = 0;
        for character in text.chars() {
            if positions.len() > end {
                break;
            }
            positions.resize(positions.len() + character.len_utf8(), units);
            units += character.len_utf16() as u32;
        }
        positions.push(units);
        Self { positions }
    }

    /// The code units of a range of bytes on character boundaries.
    pub fn range(&self, bytes: Range<usize>) -> Range<u32> {
        let last = self.positions.len() - 1;
        self.positions[bytes.start.min(last)]..self.positions[bytes.end.min(last)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_code_units_not_bytes() {
        // 1, 2, 3 and 4 bytes; 1, 1, 1 and 2 code units.
        let text = "aé€😀z";
        let index = Utf16Index::new(text, text.len());
        let found: Vec<_> = text
            .char_indices()
            .map(|(at, character)| index.range(at..at + character.len_utf8()))
            .collect();
        assert_eq!(found, [0..1, 1..2, 2..3, 3..5, 5..6]);
        assert_eq!(index.range(0..text.len()), 0..6);
    }

    #[test]
    fn reads_no_further_than_asked() {
        let text = "é".repeat(1000);
        let index = Utf16Index::new(&text, 4);
        assert_eq!(index.range(2..4), 1..2);
        assert!(index.positions.len() < 10);
        assert_eq!(Utf16Index::new("", 0).range(0..0), 0..0);
    }
}
