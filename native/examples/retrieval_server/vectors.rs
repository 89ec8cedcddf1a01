//! Embeddings of one model, and rankings by them.

use multivec::dense::Similarity;
use multivec::{
    AnyEncoder, Control, DenseEmbedding, Embedding, EmbeddingHead, Result, SparseEmbedding,
    TextEncoder, TextKind, rank,
};

/// What a model gives for some texts: one of the lists, or all three of a model
/// of several kinds. The others are empty.
#[derive(Default)]
pub(crate) struct Vectors {
    dense: Vec<DenseEmbedding>,
    sparse: Vec<SparseEmbedding>,
    tokens: Vec<Embedding>,
}

/// What is encoded, and within which limits.
pub(crate) struct Texts<'a> {
    pub(crate) texts: &'a [String],
    pub(crate) kind: TextKind,
    pub(crate) control: &'a Control,
}

impl Texts<'_> {
    fn encoded<H: EmbeddingHead>(&self, encoder: &TextEncoder<H>) -> Result<Vec<H::Output>> {
        let encoder = encoder.with_control(self.control.clone());
        encoder.encode(self.texts, self.kind)
    }
}

impl Vectors {
    /// Those of a cross-encoder are empty.
    pub(crate) fn of(model: &AnyEncoder, texts: &Texts<'_>) -> Result<Self> {
        let mut found = Self::default();
        match model {
            AnyEncoder::Dense(encoder) => found.dense = texts.encoded(encoder)?,
            AnyEncoder::Sparse(encoder) => found.sparse = texts.encoded(encoder)?,
            AnyEncoder::MultiVector(encoder) => found.tokens = texts.encoded(encoder)?,
            AnyEncoder::Hybrid(encoder) => {
                for one in texts.encoded(encoder)? {
                    found.dense.push(one.dense);
                    found.sparse.push(one.sparse);
                    found.tokens.push(one.multi_vector);
                }
            }
            _ => {}
        }
        Ok(found)
    }

    pub(crate) fn extend(&mut self, others: Self) {
        self.dense.extend(others.dense);
        self.sparse.extend(others.sparse);
        self.tokens.extend(others.tokens);
    }

    /// All documents for a query, the best first: a ranking for each kind of
    /// vectors that there are.
    pub(crate) fn rankings(&self, query: &Self, by: Similarity) -> Result<Vec<Vec<usize>>> {
        let mut found = Vec::new();
        for query in &query.dense {
            let scores = self.dense.iter().map(|one| query.similarity(one, by));
            found.push(order(&scores.collect::<Result<Vec<_>>>()?));
        }
        for query in &query.sparse {
            let scores = self.sparse.iter().map(|one| query.dot(one));
            found.push(order(&scores.collect::<Result<Vec<_>>>()?));
        }
        for query in &query.tokens {
            let ranking = rank(query, &self.tokens)?;
            found.push(ranking.into_iter().map(|ranked| ranked.index).collect());
        }
        Ok(found)
    }
}

/// Positions by descending score; equal scores keep their order.
fn order(scores: &[f32]) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..scores.len()).collect();
    positions.sort_by(|&one, &other| scores[other].total_cmp(&scores[one]));
    positions
}
