//! One ranking of several.
//!
//! Source: Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion
//! outperforms Condorcet and individual rank learning methods".

use std::collections::BTreeMap;

use crate::score::Ranked;
use crate::sort::sort_positions;

/// What is added to ranks, as in the source.
pub const RANK_OFFSET: f32 = 60.;

/// Reciprocal rank fusion: each document's score is the sum, over the rankings
/// that have it, of `1 / (offset + rank)`, where ranks count from 1. Equal
/// scores keep the order of documents.
///
/// Rankings are lists of documents, the best first; a document counts once in
/// each.
pub fn reciprocal_rank_fusion<'a>(
    rankings: impl IntoIterator<Item = &'a [usize]>,
    offset: f32,
) -> Vec<Ranked> {
    let mut scores = BTreeMap::new();
    for ranking in rankings {
        let mut of_ranking = BTreeMap::new();
        for (rank, &document) in (1u32..).zip(ranking) {
            of_ranking.entry(document).or_insert(rank);
        }
        for (document, rank) in of_ranking {
            *scores.entry(document).or_insert(0.) += 1. / (offset + rank as f32);
        }
    }
    let found: Vec<Ranked> = scores
        .into_iter()
        .map(|(index, score)| Ranked { index, score })
        .collect();
    let order = sort_positions(found.len(), &|one, other| {
        found[other].score.total_cmp(&found[one].score)
    });
    order.into_iter().map(|at| found[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_several_rankings_come_first() {
        let rankings: [&[usize]; 2] = [&[3, 1, 2], &[1, 4]];
        let found = reciprocal_rank_fusion(rankings, RANK_OFFSET);
        let order: Vec<usize> = found.iter().map(|ranked| ranked.index).collect();
        assert_eq!(order, [1, 3, 4, 2]);
        let expected = 1. / 62. + 1. / 61.;
        assert!((found[0].score - expected).abs() < 1e-7);
    }

    #[test]
    fn a_document_counts_once_and_ties_keep_their_order() {
        let rankings: [&[usize]; 2] = [&[5, 5, 7], &[7, 5]];
        let found = reciprocal_rank_fusion(rankings, 0.);
        assert_eq!(found[0].index, 5);
        assert_eq!(found[0].score, 1. + 1. / 2.);
        assert_eq!(found[1].score, 1. / 3. + 1.);
        let tied: [&[usize]; 2] = [&[2], &[1]];
        let found = reciprocal_rank_fusion(tied, RANK_OFFSET);
        assert_eq!([found[0].index, found[1].index], [1, 2]);
    }
}
