//! How fast the two forms of a graph are.

use std::fmt;
use std::time::Duration;

/// How fast the fused form of a graph is, beside the original one.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum FormSpeed {
    /// Nobody asked, or there is one form alone.
    #[default]
    NotMeasured,
    /// It does not matter: the original form has other vectors, since it
    /// quantizes all rows of a batch with one scale.
    OtherVectors,
    /// Times of batches, the same on both forms.
    Measured(Vec<FormTimes>),
}

/// The least times in which the two forms of a graph ran a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FormTimes {
    /// Texts in the batch.
    pub rows: usize,
    /// Tokens of each text.
    pub length: usize,
    /// As exported.
    pub original: Duration,
    /// With fused operators.
    pub fused: Duration,
}

impl FormTimes {
    /// Times of a batch of `rows` texts of `length` tokens.
    pub fn new([rows, length]: [usize; 2], original: Duration, fused: Duration) -> Self {
        Self {
            rows,
            length,
            original,
            fused,
        }
    }
}

/// How many times as fast the fused form is: the geometric mean over batches,
/// which gives short and long ones the same weight. 1 without any.
pub fn speed_up(times: &[FormTimes]) -> f64 {
    let ratio = |one: &FormTimes| {
        let [original, fused] = [one.original, one.fused].map(|time| time.as_secs_f64().max(1e-9));
        (original / fused).ln()
    };
    let mean = times.iter().map(ratio).sum::<f64>() / times.len().max(1) as f64;
    mean.exp()
}

impl fmt::Display for FormSpeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMeasured => f.write_str("not measured"),
            Self::OtherVectors => f.write_str(
                "not measured: only the fused form quantizes each row by itself, which the \
                 original does not",
            ),
            Self::Measured(times) => {
                let speed_up = speed_up(times);
                write!(f, "the fused form is {speed_up:.2} times as fast")?;
                for (at, one) in times.iter().enumerate() {
                    let sign = if at == 0 { ':' } else { ',' };
                    let [fused, original] =
                        [one.fused, one.original].map(|time| time.as_secs_f64() * 1e3);
                    let (rows, length) = (one.rows, one.length);
                    write!(
                        f,
                        "{sign} {rows} x {length} tokens {fused:.2} ms (original {original:.2})"
                    )?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(rows: usize, original: u64, fused: u64) -> FormTimes {
        let [original, fused] = [original, fused].map(Duration::from_micros);
        FormTimes::new([rows, 8], original, fused)
    }

    #[test]
    fn batches_have_equal_weights() {
        assert_eq!(speed_up(&[]), 1.);
        let crossing = [times(1, 100, 200), times(2, 8_000, 4_000)];
        assert!((speed_up(&crossing) - 1.).abs() < 1e-9);
        assert!((speed_up(&crossing[1..]) - 2.).abs() < 1e-9);
    }

    #[test]
    fn a_report_has_all_numbers() {
        let found = FormSpeed::Measured(vec![times(1, 500, 250), times(8, 4_000, 2_000)]);
        assert_eq!(
            found.to_string(),
            "the fused form is 2.00 times as fast: 1 x 8 tokens 0.25 ms (original 0.50), \
             8 x 8 tokens 2.00 ms (original 4.00)"
        );
    }
}
