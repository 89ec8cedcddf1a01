//! Documents by descending score.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A document of a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Ranked {
    /// Its position in the slice of documents, or in the corpus.
    pub index: usize,
    /// Its MaxSim score.
    pub score: f32,
}

/// The best documents so far, of those that were offered.
#[derive(Debug)]
pub(crate) struct Best {
    /// The worst one on top.
    kept: BinaryHeap<Place>,
    most: usize,
    offered: usize,
}

/// A document, and when it was offered.
#[derive(Debug)]
struct Place {
    ranked: Ranked,
    order: usize,
}

impl Best {
    /// Keeps `most` documents.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            kept: BinaryHeap::new(),
            most,
            offered: 0,
        }
    }

    /// Offers a document; of equal scores, those that were offered first are
    /// better.
    pub(crate) fn offer(&mut self, index: usize, score: f32) {
        let place = Place {
            ranked: Ranked { index, score },
            order: self.offered,
        };
        self.offered += 1;
        if self.kept.len() < self.most {
            self.kept.push(place);
        } else if let Some(mut worst) = self.kept.peek_mut()
            && place < *worst
        {
            *worst = place;
        }
    }

    /// The documents, the best first.
    pub(crate) fn into_ranking(self) -> Vec<Ranked> {
        let places = self.kept.into_sorted_vec();
        places.into_iter().map(|place| place.ranked).collect()
    }
}

/// Better places come first.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        // Scores are finite: others are refused.
        let scores = other.ranked.score.partial_cmp(&self.ranked.score);
        scores
            .unwrap_or(Ordering::Equal)
            .then(self.order.cmp(&other.order))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}
