//! Which tokens the rows of an embedding came from.

use std::ops::Range;

use crate::tokenize::{TextTokenizer, TokenRole, TokenizedText, Truncation};

/// A token behind a row of an [`Embedding`](crate::Embedding).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// How the vocabulary spells it; empty for an id that it lacks.
    pub text: String,
    /// The bytes of the text as given that it stands for; `None` for tokens
    /// that are not from the text.
    pub span: Option<Range<usize>>,
    /// Where it comes from.
    pub role: TokenRole,
}

#[derive(Clone)]
pub(crate) struct TokenSource {
    tokenizer: TextTokenizer,
    text: TokenizedText,
    // Positions in `text` of the tokens of each row.
    rows: Vec<Vec<u32>>,
}

impl TokenSource {
    /// The tokens of `text` that are kept, one a row.
    pub(crate) fn new(tokenizer: TextTokenizer, text: TokenizedText) -> Self {
        let rows = (0u32..)
            .zip(text.kept())
            .filter(|&(_, &kept)| kept)
            .map(|(position, _)| vec![position])
            .collect();
        Self {
            tokenizer,
            text,
            rows,
        }
    }

    pub(crate) fn truncation(&self) -> Truncation {
        self.text.truncation()
    }

    pub(crate) fn tokens_of(&self, row: usize) -> Vec<Token> {
        self.rows[row]
            .iter()
            .map(|&position| {
                let position = position as usize;
                let id = self.text.input_ids()[position];
                Token {
                    id,
                    text: self.tokenizer.token(id).unwrap_or_default(),
                    span: self.text.span(position),
                    role: self.text.roles()[position],
                }
            })
            .collect()
    }

    /// The source after rows were merged; `clusters` lists rows.
    pub(crate) fn merged(&self, clusters: &[Vec<usize>]) -> Self {
        let rows = clusters
            .iter()
            .map(|cluster| {
                cluster
                    .iter()
                    .flat_map(|&row| self.rows[row].iter().copied())
                    .collect()
            })
            .collect();
        Self {
            tokenizer: self.tokenizer.clone(),
            text: self.text.clone(),
            rows,
        }
    }
}
