//! From the states of tokens to one vector.
//!
//! Source: sentence-transformers 6.2, `sentence_transformer/modules/pooling.py`.

use ndarray::ArrayView2;

/// How the states of a text's tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum TokenPooling {
    /// That of the first token.
    Cls,
    /// The largest value of each column.
    Max,
    /// The mean.
    Mean,
    /// The sum divided by the square root of the number of tokens.
    MeanSqrtLen,
    /// The mean with weights 1, 2, 3 and so on.
    WeightedMean,
    /// That of the last token.
    LastToken,
}

/// Whether the tokens of a prompt count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum PromptTokens {
    /// They do.
    Included,
    /// Neither do they, nor the special tokens in front of them.
    Excluded,
}

/// One or more vectors, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SentencePooling {
    /// At least one.
    pub(crate) modes: Vec<TokenPooling>,
    pub(crate) prompt: PromptTokens,
}

impl SentencePooling {
    /// One vector of all tokens.
    pub(crate) fn of(mode: TokenPooling) -> Self {
        Self {
            modes: vec![mode],
            prompt: PromptTokens::Included,
        }
    }

    pub(crate) fn apply(&self, states: ArrayView2<'_, f32>, prompt_tokens: usize) -> Vec<f32> {
        let skipped = match self.prompt {
            PromptTokens::Included => 0,
            PromptTokens::Excluded => prompt_tokens,
        };
        let pooled = self.modes.iter();
        pooled
            .flat_map(|mode| mode.apply(states, skipped))
            .collect()
    }
}

impl TokenPooling {
    /// Pools the tokens after the first `skipped`.
    fn apply(self, states: ArrayView2<'_, f32>, skipped: usize) -> Vec<f32> {
        let rows = states.outer_iter().enumerate().skip(skipped);
        let zeros = || vec![0f32; states.ncols()];
        let weighted = |weight: &dyn Fn(usize) -> f32| {
            let (mut sum, mut weights) = (zeros(), 0f32);
            for (at, row) in rows.clone() {
                let weight = weight(at);
                weights += weight;
                sum.iter_mut()
                    .zip(row)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
            (sum, weights.max(1e-9))
        };
        let divided = |(mut sum, by): (Vec<f32>, f32)| {
            sum.iter_mut().for_each(|value| *value /= by);
            sum
        };
        match self {
            // Without a token that counts, the first one.
            Self::Cls => {
                let first = rows.clone().next();
                let first = first.map(|(_, row)| row).or(states.outer_iter().next());
                first.map_or_else(zeros, |row| row.to_vec())
            }
            Self::LastToken => rows.last().map_or_else(zeros, |(_, row)| row.to_vec()),
            Self::Max => {
                let mut largest = vec![f32::NEG_INFINITY; states.ncols()];
                for (_, row) in rows {
                    largest.iter_mut().zip(row).for_each(|(largest, &value)| {
                        // NaN must not vanish.
                        if value > *largest || value.is_nan() {
                            *largest = value;
                        }
                    });
                }
                largest
            }
            Self::Mean => divided(weighted(&|_| 1.)),
            Self::MeanSqrtLen => {
                let (sum, count) = weighted(&|_| 1.);
                divided((sum, count.sqrt()))
            }
            Self::WeightedMean => divided(weighted(&|at| (at + 1) as f32)),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn pooled(mode: TokenPooling, skipped: usize) -> Vec<f32> {
        mode.apply(array![[1., -2.], [3., 4.], [5., 0.]].view(), skipped)
    }

    #[test]
    fn each_mode_is_its_definition() {
        assert_eq!(pooled(TokenPooling::Cls, 0), [1., -2.]);
        assert_eq!(pooled(TokenPooling::LastToken, 0), [5., 0.]);
        assert_eq!(pooled(TokenPooling::Max, 0), [5., 4.]);
        assert_eq!(pooled(TokenPooling::Mean, 0), [3., 2. / 3.]);
        let root = 3f32.sqrt();
        assert_eq!(pooled(TokenPooling::MeanSqrtLen, 0), [9. / root, 2. / root]);
        assert_eq!(pooled(TokenPooling::WeightedMean, 0), [22. / 6., 1.]);
    }

    #[test]
    fn tokens_of_the_prompt_can_be_left_out() {
        assert_eq!(pooled(TokenPooling::Cls, 1), [3., 4.]);
        assert_eq!(pooled(TokenPooling::Mean, 1), [4., 2.]);
        // Weights count from the first token on.
        assert_eq!(pooled(TokenPooling::WeightedMean, 1), [21. / 5., 8. / 5.]);
        assert_eq!(pooled(TokenPooling::Cls, 3), [1., -2.]);
        assert_eq!(pooled(TokenPooling::Mean, 3), [0., 0.]);
    }

    #[test]
    fn several_modes_are_concatenated() {
        let pooling = SentencePooling {
            modes: vec![TokenPooling::Max, TokenPooling::Cls],
            prompt: PromptTokens::Excluded,
        };
        let states = array![[1., -2.], [3., 4.]];
        assert_eq!(pooling.apply(states.view(), 1), [3., 4., 3., 4.]);
    }
}
