//! Weights that a model gives to the tokens of a text.
//!
//! Source: FlagEmbedding, `inference/embedder/encoder_only/m3.py`.

use std::sync::Arc;

use super::SparseEmbedding;

/// How such weights become those of the vocabulary; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TokenWeights {
    /// Tokens that stand for no word, sorted.
    wordless: Arc<[u32]>,
    dim: usize,
}

impl TokenWeights {
    /// For a vocabulary up to an id.
    pub(crate) fn new(mut wordless: Vec<u32>, largest: u32) -> Self {
        wordless.sort_unstable();
        Self {
            wordless: wordless.into(),
            dim: largest as usize + 1,
        }
    }

    /// Columns of the whole row.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Each token once, with the largest of its weights, if that is above 0.
    pub(crate) fn join(&self, ids: &[u32], weights: &[f32]) -> SparseEmbedding {
        let found = ids.iter().copied().zip(weights.iter().copied());
        let is_used =
            |(id, weight): &(u32, f32)| *weight > 0. && self.wordless.binary_search(id).is_err();
        let mut found: Vec<(u32, f32)> = found.filter(is_used).collect();
        found.sort_unstable_by(|(one, weight), (other, less)| {
            one.cmp(other).then(less.total_cmp(weight))
        });
        found.dedup_by_key(|(id, _)| *id);
        let (indices, values) = found.into_iter().unzip();
        SparseEmbedding {
            indices,
            values,
            dim: self.dim,
            truncation: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_largest_weight() {
        let weights = TokenWeights::new(vec![3, 0, 2], 9);
        let ids = [0, 7, 5, 7, 3, 4, 2];
        let found = weights.join(&ids, &[9., 1., 0.5, 2., 9., -1., 9.]);
        assert_eq!(found.indices, [5, 7]);
        assert_eq!(found.values, [0.5, 2.]);
        assert_eq!(found.dim, 10);
    }
}
