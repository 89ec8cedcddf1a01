//! Queries whose weights are those of their tokens, without a model.
//!
//! Source: sentence-transformers 6.2,
//! `sparse_encoder/modules/sparse_static_embedding.py`.

use std::sync::Arc;

use super::SparseEmbedding;
use crate::tokenize::{TokenRole, TokenizedText};

/// A weight for each token of the vocabulary; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct StaticWeights(pub(crate) Arc<[f32]>);

impl StaticWeights {
    /// The weights of a text's tokens, each once.
    pub(crate) fn of(&self, text: &TokenizedText) -> SparseEmbedding {
        let tokens = text.input_ids().iter().zip(text.roles());
        let tokens = tokens.filter(|(_, role)| **role != TokenRole::Special);
        let mut ids: Vec<u32> = tokens.map(|(&id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let weight = |id: &u32| self.0.get(*id as usize).copied().unwrap_or(0.);
        ids.retain(|id| weight(id) != 0.);
        SparseEmbedding {
            values: ids.iter().map(weight).collect(),
            indices: ids,
            dim: self.0.len(),
            truncation: None,
        }
    }
}
