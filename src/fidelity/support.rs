//! Whether sparse vectors have weights for the same tokens.

use super::Comparison;
use crate::embedding::Embedding;

/// The mean, over queries and documents, of the tokens with a weight in both
/// vectors, as a share of those with a weight in either: 1 where all are the
/// same, and for texts without any.
pub fn support_overlap(comparison: Comparison<'_>) -> f64 {
    let overlaps: Vec<f64> = comparison
        .pairs()
        .map(|(left, right)| overlap(left, right))
        .collect();
    match overlaps.len() {
        0 => 1.,
        count => overlaps.iter().sum::<f64>() / count as f64,
    }
}

fn overlap(left: &Embedding, right: &Embedding) -> f64 {
    let (mut both, mut either) = (0u32, 0u32);
    for (&left, &right) in left.as_slice().iter().zip(right.as_slice()) {
        both += u32::from(left != 0. && right != 0.);
        either += u32::from(left != 0. || right != 0.);
    }
    if either == 0 {
        return 1.;
    }
    f64::from(both) / f64::from(either)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_tokens_count() {
        let row = |values: &[f32]| Embedding::of_row(values.to_vec());
        let found = overlap(&row(&[1., 0., 2., 0.]), &row(&[3., 4., 0., 0.]));
        assert_eq!(found, 1. / 3.);
        assert_eq!(overlap(&row(&[0.]), &row(&[0.])), 1.);
    }
}
