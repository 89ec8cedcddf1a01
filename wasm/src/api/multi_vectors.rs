//! Multi-vectors for JavaScript.

use js_sys::Float32Array;
use multivec_core::Embedding;
use serde::Serialize;
use serde_wasm_bindgen::preserve;

use super::arrays::{TokenColumns, Truncations, integers};
use crate::utf16::Utf16Index;

/// All embeddings one after the other, with the tokens behind each row.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EncodedTexts {
    #[serde(with = "preserve")]
    data: Float32Array,
    #[serde(serialize_with = "integers")]
    rows: Vec<u32>,
    dim: usize,
    /// Where the tokens of each row start in the columns; one more than rows.
    #[serde(serialize_with = "integers")]
    member_offsets: Vec<u32>,
    #[serde(flatten)]
    tokens: TokenColumns,
    #[serde(flatten)]
    truncations: Truncations,
}

impl EncodedTexts {
    pub(super) fn new(texts: &[String], embeddings: &[Embedding]) -> Self {
        let values: usize = embeddings.iter().map(|one| one.as_slice().len()).sum();
        let mut all = Self {
            data: Float32Array::new_with_length(values as u32),
            rows: Vec::with_capacity(embeddings.len()),
            dim: embeddings.first().map_or(0, Embedding::dim),
            member_offsets: vec![0],
            tokens: TokenColumns::default(),
            truncations: Truncations::default(),
        };
        let mut filled = 0;
        for (text, embedding) in texts.iter().zip(embeddings) {
            let values = embedding.as_slice();
            let end = filled + values.len() as u32;
            all.data.subarray(filled, end).copy_from(values);
            filled = end;
            all.push_tokens(text, embedding);
        }
        all
    }

    fn push_tokens(&mut self, text: &str, embedding: &Embedding) {
        let members: Vec<_> = (0..embedding.tokens())
            .map(|row| embedding.row_tokens(row))
            .collect();
        let spans = members
            .iter()
            .flatten()
            .filter_map(|token| token.span.as_ref());
        let index = Utf16Index::new(text, spans.map(|span| span.end).max().unwrap_or(0));
        for row in members {
            for token in row {
                let span = token.span.map(|bytes| index.range(bytes));
                self.tokens.push(token.id, token.role, span, || token.text);
            }
            self.member_offsets.push(self.tokens.ids.len() as u32);
        }
        self.rows.push(embedding.tokens() as u32);
        self.truncations
            .push(embedding.truncation().unwrap_or_default());
    }
}
