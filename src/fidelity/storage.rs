//! What it costs to store vectors with less precision.

use super::EncodedSample;
use super::ranking::{RankingAgreement, agreement};
use crate::corpus::{Corpus, CorpusSpace, CorpusWriter, SearchOptions, VectorPrecision};
use crate::error::Result;
use crate::score::max_sim_many;

/// How well a search over stored vectors agrees with one over those that were
/// encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct StorageAgreement {
    /// How vectors are stored.
    pub precision: VectorPrecision,
    /// Bytes of the corpus.
    pub size: usize,
    /// The rankings of both.
    pub ranking: RankingAgreement,
}

/// Stores the documents of a sample in each precision below 32 bits that rows of
/// their length may have, and searches them with all queries.
///
/// # Errors
/// Those of [`max_sim_many`], [`CorpusWriter::push`] and [`Corpus::search_many`].
pub fn storage_agreement(sample: &EncodedSample) -> Result<Vec<StorageAgreement>> {
    let Some(dim) = sample.documents.first().map(|document| document.dim()) else {
        return Ok(Vec::new());
    };
    let smaller = VectorPrecision::ALL.into_iter().filter(|precision| {
        *precision != VectorPrecision::F32 && (1..=precision.max_dim()).contains(&dim)
    });
    let of_precision = |precision| {
        let space = CorpusSpace::new(dim).with_precision(precision);
        let mut writer = CorpusWriter::new(Vec::new(), space)?;
        for document in &sample.documents {
            writer.push("", document)?;
        }
        let corpus = Corpus::parse("the sample", writer.finish()?)?;
        let scores = sample.queries.iter().map(|query| {
            let expected = max_sim_many(query, &sample.documents)?;
            Ok([expected, scores(&corpus, query)?])
        });
        Ok(StorageAgreement {
            precision,
            size: corpus.parts().map(<[u8]>::len).sum(),
            ranking: agreement(sample.documents.len(), scores)?,
        })
    };
    smaller.map(of_precision).collect()
}

/// The scores of all documents, in their order.
fn scores(corpus: &Corpus, query: &crate::embedding::Embedding) -> Result<Vec<f32>> {
    let options = SearchOptions::new(corpus.len());
    let found = corpus.search_many(std::slice::from_ref(query), &options)?;
    let mut scores = vec![0.; corpus.len()];
    for one in found.into_iter().flatten() {
        if let Some(score) = scores.get_mut(one.index) {
            *score = one.score;
        }
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use multivec_kernels::sample::{LIMIT, numbers};

    use super::*;
    use crate::embedding::Embedding;

    #[test]
    fn less_precision_agrees_less() {
        let mut numbers = numbers().map(|number| number as f32 / LIMIT as f32 - 0.5);
        let mut embeddings = |count: usize, rows: usize| -> Vec<Embedding> {
            let mut embedding = || {
                let values = numbers.by_ref().take(rows * 32).collect();
                Embedding::from_rows(values, 32).expect("whole rows")
            };
            (0..count).map(|_| embedding()).collect()
        };
        let sample = EncodedSample {
            queries: embeddings(8, 4),
            documents: embeddings(60, 5),
            of: crate::fidelity::Of::Texts,
        };
        let found = storage_agreement(&sample).expect("they can be stored");
        let [f16, int8, bits] = found.as_slice() else {
            panic!("expected three precisions, found {found:?}");
        };
        let overlaps = [f16, int8, bits].map(|one| one.ranking.overlap);
        assert!(
            overlaps.is_sorted_by(|one, next| one >= next),
            "{overlaps:?}"
        );
        assert!(overlaps[1] > 0.9 && overlaps[2] > 0.3, "{overlaps:?}");
        let taus = [f16, int8, bits].map(|one| one.ranking.kendall_tau.expect("they differ"));
        assert!(
            taus[0] > 0.999 && taus[1] > 0.97 && taus[2] < taus[1],
            "{taus:?}"
        );
        assert!(f16.size > int8.size && int8.size > bits.size);
        let none = EncodedSample {
            queries: sample.queries,
            documents: Vec::new(),
            of: crate::fidelity::Of::Texts,
        };
        assert_eq!(storage_agreement(&none).expect("nothing to store"), []);
    }
}
