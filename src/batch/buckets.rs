//! Few shapes, for engines that compile the graph for each.

use super::BatchLimit;
use super::plan::longest_first;

/// The shortest length that others are padded to.
const SHORTEST: usize = 16;

/// Which shapes batches have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchShapes {
    /// As the engine wants it: `Buckets` on devices, `Exact` on CPUs.
    #[default]
    Auto,
    /// As many rows as there are texts, as long as the longest.
    Exact,
    /// Of few lengths, half an octave apart, with powers of two of rows, so that
    /// an engine that compiles a graph for each shape has few to compile. Padding
    /// rows repeat the last text.
    Buckets,
}

/// Shapes of batches for texts up to a length, within a limit.
#[derive(Clone, Copy, Debug)]
pub struct Buckets {
    /// Tokens of the longest text that there can be.
    pub longest: usize,
    /// How much goes into one batch, padding included.
    pub limit: BatchLimit,
}

impl Buckets {
    /// `[rows, length]` of a batch of so many texts, the longest of so many
    /// tokens: rows are a power of two, and lengths one or one and a half times
    /// one, from 16 up to the longest text.
    pub fn shape(&self, texts: usize, tokens: usize) -> [usize; 2] {
        let power = tokens.max(SHORTEST).next_power_of_two();
        let between = power / 4 * 3;
        let length = match tokens <= between && between >= SHORTEST {
            true => between,
            false => power,
        };
        [
            texts.next_power_of_two(),
            length.min(self.longest).max(tokens),
        ]
    }

    /// Rows of a batch for so many texts of that length, or for as many as go
    /// into one: a power of two, at least 1.
    fn rows(&self, texts: usize, length: usize) -> usize {
        let mut rows = 1;
        while rows < texts && self.limit.admits(2 * rows, length) {
            rows *= 2;
        }
        rows
    }

    /// Groups texts of one bucket each: positions into `lengths`, longest first,
    /// each position exactly once. Texts of equal length keep their order.
    pub fn plan(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        let order = longest_first(lengths);
        let bucket = |text: usize| self.shape(1, lengths[text])[1];
        let of_buckets = order.chunk_by(|&one, &next| bucket(one) == bucket(next));
        of_buckets
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
