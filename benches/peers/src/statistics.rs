//! Numbers from repeated measurements.

use serde::{Deserialize, Serialize};

/// Of several values of the same thing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Summary {
    pub median: f64,
    /// The 10th and the 90th percentile.
    pub low: f64,
    pub high: f64,
    pub count: usize,
}

impl Summary {
    pub fn of(values: &[f64]) -> Self {
        Self {
            median: percentile(values, 0.5),
            low: percentile(values, 0.1),
            high: percentile(values, 0.9),
            count: values.len(),
        }
    }
}

/// The value that `part` of the values, 0 to 1, do not exceed, by nearest
/// rank; not a number where there is none.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), 50.);
        assert_eq!(percentile(&values, 0.99), 99.);
        assert_eq!(percentile(&values, 0.), 1.);
        assert_eq!(percentile(&[7.], 0.99), 7.);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
