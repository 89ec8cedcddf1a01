//! Batches of few shapes, for engines that compile the graph for each shape.

use super::BatchLimit;
use super::plan::longest_first;

/// The shortest length of a bucket, in tokens.
const SHORTEST: usize = 16;

/// The shapes `[rows, length]` of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum BatchShapes {
    /// The engine's choice: `Buckets` on devices, `Exact` on CPUs, and where
    /// padding changes a model's vectors.
    #[default]
    Auto,
    /// One row per text, as long as the longest text.
    Exact,
    /// Few shapes, for engines that compile the graph for each: powers of two
    /// of rows, and lengths of 2ⁿ or 1.5 · 2ⁿ tokens, at least 16. Additional
    /// rows repeat the last text.
    Buckets,
}

/// The shapes of [`BatchShapes::Buckets`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Buckets {
    /// Most tokens of a text.
    pub longest: usize,
    /// The maximum size of a batch, including padding.
    pub limit: BatchLimit,
}

impl Buckets {
    /// The shape `[rows, length]` for this many texts, the longest of which has
    /// `tokens` tokens.
    pub fn shape(&self, texts: usize, tokens: usize) -> [usize; 2] {
        let power = tokens.max(SHORTEST).next_power_of_two();
        let between = power / 4 * 3;
        let length = if tokens <= between && between >= SHORTEST {
            between
        } else {
            power
        };
        [
            texts.next_power_of_two(),
            length.min(self.longest).max(tokens),
        ]
    }

    /// Rows for up to `texts` texts of this length, within the limit: a power
    /// of two, at least 1.
    fn rows(&self, texts: usize, length: usize) -> usize {
        let mut rows = 1;
        while rows < texts && self.limit.admits(2 * rows, length) {
            rows *= 2;
        }
        rows
    }

    /// Groups texts of the same bucket into batches: positions in `lengths`,
    /// longest first, each exactly once. Texts of equal length keep their order.
    pub fn plan(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        let order = longest_first(lengths);
        let bucket = |text: usize| self.shape(1, lengths[text])[1];
        order
            .chunk_by(|&one, &next| bucket(one) == bucket(next))
            .flat_map(|texts| texts.chunks(self.rows(texts.len(), bucket(texts[0]))))
            .map(<[usize]>::to_vec)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_half_an_octave_apart() {
        let buckets = Buckets {
            longest: 300,
            limit: BatchLimit::Auto,
        };
        let lengths = [1, 16, 17, 24, 25, 33, 49, 65, 97, 150, 200, 257, 300];
        let found = lengths.map(|tokens| buckets.shape(1, tokens)[1]);
        let expected = [16, 16, 24, 24, 32, 48, 64, 96, 128, 192, 256, 300, 300];
        assert_eq!(found, expected);
        assert_eq!(
            [1, 2, 3, 5, 9].map(|texts| buckets.shape(texts, 1)[0]),
            [1, 2, 4, 8, 16]
        );
    }
}
