//! The angles between two encoders' vectors.

use super::Comparison;
use crate::error::{Error, Result};

/// The cosine of each token's vector to the expected vector.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Cosines {
    /// Ascending; never empty.
    sorted: Vec<f64>,
}

/// A bin of [`Cosines::histogram`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HistogramBin {
    /// The smallest cosine of this bin.
    pub from: f64,
    /// The start of the next bin, or the largest cosine.
    pub to: f64,
    /// Number of cosines.
    pub count: usize,
}

impl Cosines {
    /// The cosines of all rows of queries and documents; -1 where a cosine is
    /// NaN.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if no text has a row.
    pub fn of(comparison: Comparison<'_>) -> Result<Self> {
        let mut sorted: Vec<f64> = comparison
            .pairs()
            .flat_map(|(left, right)| {
                let dim = left.dim().max(1);
                let right = right.as_slice().chunks_exact(dim);
                left.as_slice().chunks_exact(dim).zip(right)
            })
            .map(|(left, right)| cosine(left, right))
            .collect();
        if sorted.is_empty() {
            return Err(Error::option("documents", "texts with tokens", "none"));
        }
        sorted.sort_by(f64::total_cmp);
        Ok(Self { sorted })
    }

    /// Number of tokens compared.
    pub fn tokens(&self) -> usize {
        self.sorted.len()
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }

    /// The percentile `percent`, from 0 to 100, by the nearest-rank method.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100. * self.sorted.len() as f64).ceil() as usize;
        let at = rank.clamp(1, self.sorted.len()) - 1;
        self.sorted.get(at).copied().unwrap_or(-1.)
    }

    /// The smallest cosine.
    pub fn minimum(&self) -> f64 {
        self.percentile(0.)
    }

    /// A histogram of bins of equal width, at least 1, from the smallest cosine
    /// to 1.
    pub fn histogram(&self, bins: usize) -> Vec<HistogramBin> {
        let bins = bins.max(1);
        // Bins of equal encoders need a width, too.
        let start = self.minimum().min(1. - 1e-6);
        let width = (1. - start) / bins as f64;
        let mut found: Vec<HistogramBin> = (0..bins)
            .map(|at| HistogramBin {
                from: start + width * at as f64,
                to: start + width * (at + 1) as f64,
                count: 0,
            })
            .collect();
        for &cosine in &self.sorted {
            let at = (((cosine - start) / width) as usize).min(bins - 1);
            found[at].count += 1;
        }
        found
    }
}

fn cosine(left: &[f32], right: &[f32]) -> f64 {
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        let pairs = left.iter().zip(right);
        pairs
            .map(|(&one, &two)| f64::from(one) * f64::from(two))
            .sum()
    };
    let cosine = dot(left, right) / (dot(left, left) * dot(right, right)).sqrt();
    if cosine.is_nan() {
        -1.
    } else {
        cosine.clamp(-1., 1.)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EncodedSample, Of};
    use super::*;
    use crate::embedding::Embedding;

    fn sample(rows: Vec<f32>) -> EncodedSample {
        EncodedSample {
            queries: Vec::new(),
            documents: vec![Embedding::from_rows(rows, 2).expect("rows of two")],
            of: Of::Texts,
        }
    }

    fn cosines(left: Vec<f32>, right: Vec<f32>) -> Cosines {
        let (left, right) = (sample(left), sample(right));
        let comparison = Comparison::new(&left, &right).expect("of equal shape");
        Cosines::of(comparison).expect("there are rows")
    }

    #[test]
    fn cosines_depend_on_directions_alone() {
        let found = cosines(
            vec![1., 0., 1., 0., 1., 0., 1., 0.],
            vec![7., 0., 3., 3., 0., 2., f32::NAN, 0.],
        );
        let expected = [-1., 0., 0.5f64.sqrt(), 1.];
        for (found, expected) in found.sorted.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        assert_eq!(found.tokens(), 4);
        assert!((found.mean() - 0.5f64.sqrt() / 4.).abs() < 1e-9);
        assert_eq!(found.minimum(), -1.);
        assert_eq!(found.percentile(50.), 0.);
        assert_eq!(found.percentile(51.), expected[2]);
        assert_eq!(found.percentile(100.), 1.);
    }

    #[test]
    fn each_cosine_is_counted_once() {
        let found = cosines(vec![1., 0., 1., 0., 1., 0.], vec![1., 0., 0., 1., 1., 1.]);
        let bins = found.histogram(4);
        let counts: Vec<usize> = bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [1, 0, 1, 1]);
        assert_eq!((bins[0].from, bins[3].to), (0., 1.));
        let same = cosines(vec![1., 0.], vec![2., 0.]);
        assert_eq!(same.histogram(3)[2].count, 1);
    }

    #[test]
    fn different_shapes_are_refused() {
        let (left, right) = (sample(vec![1., 0.]), sample(vec![1., 0., 0., 1.]));
        let error = Comparison::new(&left, &right).expect_err("another row");
        assert_eq!(
            error.to_string(),
            "rows of document 0: expected dimension 1, found 2"
        );
        let none = sample(Vec::new());
        let comparison = Comparison::new(&none, &none).expect("of equal shape");
        let error = Cosines::of(comparison).expect_err("no rows");
        assert_eq!(error.code(), "invalid_option");
    }
}
