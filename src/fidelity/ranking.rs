//! Whether two encoders rank documents in the same order.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Comparison;
use crate::error::Result;
use crate::score::{Best, max_sim_many};

/// Documents at the top of a ranking, those that users see.
const TOP: usize = 10;

/// How well the MaxSim rankings of two encoders agree, as means over queries.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct RankingAgreement {
    /// Number of documents at the top: 10, or all if there are fewer.
    pub top: usize,
    /// The share of the top documents that both rankings have.
    pub overlap: f64,
    /// Kendall's tau-b over all documents, see [`kendall_tau_b`]; `None` if
    /// every query scores all documents equally.
    pub kendall_tau: Option<f64>,
}

/// Ranks all documents for each query with the vectors of both encoders.
///
/// # Errors
/// As [`max_sim_many`].
pub fn ranking_agreement(comparison: Comparison<'_>) -> Result<RankingAgreement> {
    let (expected, found) = (comparison.expected, comparison.found);
    let pairs = expected.queries.iter().zip(&found.queries);
    let scores = pairs.map(|(left, right)| {
        let left = max_sim_many(left, &expected.documents)?;
        Ok([left, max_sim_many(right, &found.documents)?])
    });
    agreement(expected.documents.len(), scores)
}

/// The agreement of two lists of scores for each query.
pub(super) fn agreement(
    documents: usize,
    queries: impl Iterator<Item = Result<[Vec<f32>; 2]>>,
) -> Result<RankingAgreement> {
    let top = TOP.min(documents);
    let (mut overlap, mut taus, mut count) = (0., Vec::new(), 0);
    for scores in queries {
        let scores = scores?;
        let [both, other] = scores.each_ref().map(|scores| -> HashSet<usize> {
            let mut best = Best::new(top);
            for (index, score) in scores.iter().enumerate() {
                best.offer(index, *score);
            }
            let ranking = best.into_ranking().into_iter();
            ranking.map(|one| one.index).collect()
        });
        overlap += both.intersection(&other).count() as f64 / top.max(1) as f64;
        taus.extend(kendall_tau_b(&scores[0], &scores[1]));
        count += 1;
    }
    Ok(RankingAgreement {
        top,
        overlap: overlap / f64::from(count.max(1)),
        kendall_tau: (!taus.is_empty()).then(|| taus.iter().sum::<f64>() / taus.len() as f64),
    })
}

/// Kendall's rank correlation with a correction for ties, from -1 for opposite
/// orders to 1 for equal ones: the number of pairs in the same order minus that
/// in opposite orders, divided by the geometric mean of the numbers of pairs
/// that are not tied in either list. `None` if all pairs of a list are tied, or
/// if the lists differ in length.
///
/// Takes O(n log n) time. Sources: Kendall 1945, "The treatment of ties in
/// ranking problems"; Knight 1966, "A computer method for calculating
/// Kendall's tau with ungrouped data".
pub fn kendall_tau_b(left: &[f32], right: &[f32]) -> Option<f64> {
    if left.len() != right.len() {
        return None;
    }
    let mut pairs: Vec<(f32, f32)> = left.iter().copied().zip(right.iter().copied()).collect();
    let by_right = |one: &(f32, f32), two: &(f32, f32)| one.1.total_cmp(&two.1);
    pairs.sort_by(|one, two| one.0.total_cmp(&two.0).then(by_right(one, two)));
    let all = pairs_among(pairs.len());
    let left_ties = ties(&pairs, |one, two| one.0 == two.0);
    let both_ties = ties(&pairs, |one, two| one == two);
    // With the pairs sorted by the left value, each swap that sorts the right
    // values is a pair in opposite orders.
    let mut order: Vec<f32> = pairs.iter().map(|pair| pair.1).collect();
    let opposite = sort(&mut order);
    pairs.sort_by(by_right);
    let right_ties = ties(&pairs, |one, two| one.1 == two.1);
    let untied = (all - left_ties) as f64 * (all - right_ties) as f64;
    let ordered = (all + both_ties) as f64 - left_ties as f64 - right_ties as f64;
    (untied > 0.).then(|| (ordered - 2. * opposite as f64) / untied.sqrt())
}

/// Number of pairs among `count` items.
fn pairs_among(count: usize) -> u64 {
    let count = count as u64;
    count * count.saturating_sub(1) / 2
}

/// Number of pairs within runs of equal items.
fn ties(sorted: &[(f32, f32)], equal: impl Fn(&(f32, f32), &(f32, f32)) -> bool) -> u64 {
    let runs = sorted.chunk_by(equal);
    runs.map(|run| pairs_among(run.len())).sum()
}

/// Merge sort; returns how many pairs were in the wrong order.
fn sort(values: &mut [f32]) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let middle = values.len() / 2;
    let mut swaps = sort(&mut values[..middle]) + sort(&mut values[middle..]);
    let mut merged = Vec::with_capacity(values.len());
    let (mut left, mut right) = (0, middle);
    while left < middle && right < values.len() {
        if values[right].total_cmp(&values[left]) == Ordering::Less {
            swaps += (middle - left) as u64;
            merged.push(values[right]);
            right += 1;
        } else {
            merged.push(values[left]);
            left += 1;
        }
    }
    merged.extend_from_slice(&values[left..middle]);
    merged.extend_from_slice(&values[right..]);
    values.copy_from_slice(&merged);
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use multivec_kernels::sample::numbers;

    /// Kendall's tau-b by its definition, over every pair.
    fn by_definition(left: &[f32], right: &[f32]) -> f64 {
        let (mut ordered, mut apart_left, mut apart_right) = (0., 0., 0.);
        for one in 0..left.len() {
            for two in 0..one {
                let sign = |list: &[f32]| match list[one].partial_cmp(&list[two]) {
                    Some(Ordering::Less) => -1.,
                    Some(Ordering::Greater) => 1.,
                    _ => 0.,
                };
                ordered += sign(left) * sign(right);
                apart_left += f64::abs(sign(left));
                apart_right += f64::abs(sign(right));
            }
        }
        ordered / f64::sqrt(apart_left * apart_right)
    }

    #[test]
    fn tau_equals_its_definition() {
        for (count, distinct) in [(2, 9), (7, 3), (40, 5), (101, 1000), (200, 2)] {
            let list = |skip: usize| -> Vec<f32> {
                let numbers = numbers().skip(skip).take(count);
                numbers.map(|number| (number % distinct) as f32).collect()
            };
            let (left, right) = (list(0), list(500));
            let found = kendall_tau_b(&left, &right).expect("values differ");
            let expected = by_definition(&left, &right);
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn tau_of_small_lists() {
        let up = [1., 2., 3., 4.];
        let down = [4., 3., 2., 1.];
        assert_eq!(kendall_tau_b(&up, &up), Some(1.));
        assert_eq!(kendall_tau_b(&up, &down), Some(-1.));
        // One of six pairs is in opposite orders.
        assert_eq!(kendall_tau_b(&up, &[1., 3., 2., 4.]), Some(4. / 6.));
        assert_eq!(kendall_tau_b(&up, &[5.; 4]), None);
        assert_eq!(kendall_tau_b(&up, &up[..3]), None);
        assert_eq!(kendall_tau_b(&[], &[]), None);
    }
}
