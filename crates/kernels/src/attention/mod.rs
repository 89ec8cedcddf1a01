//! Attention over all heads of a padded batch.

mod batch;
mod bias;
mod blocks;
mod floats;
mod head;
mod heads;
mod input;
mod integers;
mod load;
mod norm;
mod one_block;
mod quantize;
mod rows;
mod scales;
mod softmax;

pub use batch::{Batch, Bias, BiasForm, HeadNorm, HeadNorms, Precision, Rotation, Rows};
use head::Heads;
use heads::attend;

use super::isa::InstructionSet;
use crate::threads::{Parallel, Shared, ranges};

/// Several tasks per thread, so that threads finish at about the same time.
const TASKS_PER_THREAD: usize = 6;

/// Scaled dot-product attention (Vaswani et al., 2017) of texts to themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Heads of queries, side by side in each row.
    pub heads: usize,
    /// Heads of keys and values (Ainslie et al., 2023), a divisor of `heads`: each is
    /// read by `heads / key_heads` neighbouring heads of queries.
    pub key_heads: usize,
    /// Columns of each head.
    pub columns: usize,
    /// Factor of the scores, such as `1 / sqrt(columns)`.
    pub scale: f32,
    /// Which positions a token sees.
    pub sight: Sight,
    /// If there is one, scores are `cap * tanh(score / cap)`, before bias and mask.
    pub softcap: Option<f32>,
    /// The score of masked keys. It decides what a token gets if all of its keys are
    /// masked: zeros if it is minus infinity, else the mean of all values.
    pub fill: f32,
}

/// How many positions a token sees before and after its own; `None` for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Before it, `None` for all.
    pub before: Option<usize>,
    /// After it: 0 in causal attention, `None` for all.
    pub after: Option<usize>,
}

impl Attention {
    /// Writes the context, `[batch, length, heads * columns]`.
    ///
    /// # Panics
    /// If slices do not have the sizes that the batch states, or `key_heads` does not
    /// divide `heads`.
    pub fn run(&self, batch: &Batch<'_>, context: &mut [f32], threads: &dyn Parallel) {
        self.run_on(InstructionSet::best(), batch, context, threads);
    }

    fn run_on(
        &self,
        set: InstructionSet,
        batch: &Batch<'_>,
        context: &mut [f32],
        threads: &dyn Parallel,
    ) {
        let text_size = batch.length * self.heads * self.columns;
        let texts = context.len().checked_div(text_size).unwrap_or(0);
        assert_eq!(context.len(), texts * text_size, "context of whole texts");
        self.check(batch);
        let heads = Heads {
            attention: self,
            batch,
            context: Shared::new(context),
        };
        let parts = match threads.threads() {
            1 => 1,
            threads => threads * TASKS_PER_THREAD,
        };
        // Heads that share keys stay together where there are enough others.
        let unit = match self.heads / self.key_heads {
            shared if texts * self.key_heads >= parts => shared,
            _ => 1,
        };
        let parts = ranges(texts * self.heads / unit, parts);
        threads.run(parts.len(), &|at| {
            attend(set, &heads, parts[at].start * unit..parts[at].end * unit);
        });
    }

    fn check(&self, batch: &Batch<'_>) {
        let Self {
            heads, key_heads, ..
        } = *self;
        assert!(
            key_heads > 0 && heads.is_multiple_of(key_heads),
            "{key_heads} heads of keys do not divide {heads}"
        );
        assert!(self.softcap.is_none_or(|cap| cap > 0.), "a cap above 0");
        for norm in [batch.norms.queries, batch.norms.keys]
            .into_iter()
            .flatten()
        {
            assert_eq!(norm.scale.len(), self.columns, "a scale for each column");
        }
        if let Some(bias) = &batch.bias {
            assert!(
                bias.heads == 1 || bias.heads == heads,
                "a bias of {} heads for {heads}",
                bias.heads
            );
            assert_eq!(
                bias.values.len(),
                bias.size(batch.length),
                "values of a bias"
            );
        }
    }
}

#[cfg(test)]
mod tests;
