//! The tokens behind the rows of an embedding.

use std::ops::Range;

use crate::tokenize::{TextTokenizer, TokenRole, TokenizedText, Truncation};

/// A token behind a row of an [`Embedding`](crate::Embedding).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Its spelling in the vocabulary; empty for an unknown id.
    pub text: String,
    /// Its bytes in the original text; `None` for tokens that are not from the
    /// text.
    pub span: Option<Range<usize>>,
    /// Where it comes from.
    pub role: TokenRole,
}

/// A text, and the tokens of each row.
#[derive(Clone)]
pub(crate) struct TokenSource {
    tokenizer: TextTokenizer,
    text: TokenizedText,
    /// Positions in `text`, row after row.
    positions: Vec<u32>,
    /// For each row the end of its part of `positions`.
    ends: Vec<u32>,
}

impl TokenSource {
    /// One row for each kept token of `text`.
    pub(crate) fn new(tokenizer: TextTokenizer, text: TokenizedText) -> Self {
        let kept = (0u32..).zip(text.kept()).filter(|&(_, &kept)| kept);
        let positions: Vec<u32> = kept.map(|(position, _)| position).collect();
        Self {
            ends: (1u32..).take(positions.len()).collect(),
            positions,
            tokenizer,
            text,
        }
    }

    pub(crate) fn truncation(&self) -> Truncation {
        self.text.truncation()
    }

    pub(crate) fn tokens_of(&self, row: usize) -> Vec<Token> {
        let token = |&position: &u32| {
            let position = position as usize;
            let id = self.text.input_ids()[position];
            Token {
                id,
                text: self.tokenizer.token(id).unwrap_or_default(),
                span: self.text.span(position),
                role: self.text.roles()[position],
            }
        };
        self.positions_of(row).iter().map(token).collect()
    }

    /// The source after rows were merged; `clusters` lists rows.
    pub(crate) fn merged(&self, clusters: &[Vec<usize>]) -> Self {
        let mut positions = Vec::with_capacity(self.positions.len());
        let mut ends = Vec::with_capacity(clusters.len());
        for cluster in clusters {
            for &row in cluster {
                positions.extend_from_slice(self.positions_of(row));
            }
            ends.push(positions.len() as u32);
        }
        Self {
            tokenizer: self.tokenizer.clone(),
            text: self.text.clone(),
            positions,
            ends,
        }
    }

    fn positions_of(&self, row: usize) -> &[u32] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.positions[start as usize..self.ends[row] as usize]
    }
}
