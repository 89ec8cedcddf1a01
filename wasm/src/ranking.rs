//! Rankings of parts of a corpus as one.

use multivec_core::score::Ranked;

/// The best `most` of two rankings. Of equal scores, those of `first` are first.
pub(crate) fn merged(first: Vec<Ranked>, second: Vec<Ranked>, most: usize) -> Vec<Ranked> {
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    let best = std::iter::from_fn(|| match (first.peek(), second.peek()) {
        (Some(one), Some(other)) if other.score > one.score => second.next(),
        (Some(_), _) => first.next(),
        (None, _) => second.next(),
    });
    best.take(most).collect()
}

#[cfg(test)]
mod tests {
    use multivec_core::Embedding;
    use multivec_core::score::rank;

    use super::*;

    /// Documents that score these numbers.
    fn ranking(scores: &[f32]) -> Vec<Ranked> {
        let row = |&score: &f32| Embedding::from_rows(vec![score], 1).unwrap();
        let documents: Vec<Embedding> = scores.iter().map(row).collect();
        rank(&row(&1.), &documents).unwrap()
    }

    #[test]
    fn rankings_of_parts_are_the_ranking_of_all() {
        let scores = [3., 1., 3., 2., -1., 2., 3., 0., -0., 1.];
        for cut in 0..=scores.len() {
            for most in [0, 1, 4, 20] {
                let (first, second) = scores.split_at(cut);
                let mut second = ranking(second);
                second.iter_mut().for_each(|one| one.index += cut);
                let mut expected = ranking(&scores);
                expected.truncate(most);
                assert_eq!(merged(ranking(first), second, most), expected);
            }
        }
    }
}
