//! Which texts run together.

use super::BatchLimit;
use crate::sort::ordered;

/// Most padding of a text, and padding that a batch may always have, in tokens:
/// about what a batch of its own would cost.
pub const PADDING_TOKENS: usize = 64;

/// Beyond [`PADDING_TOKENS`], padding is at most one token in this many.
pub const PADDING_SHARE: usize = 8;

/// Fewest tokens of a batch that is made smaller so that all workers have
/// something to do. Below that the engine's own threads share a batch better.
const LEAST_SHARED: usize = 512;

/// The same, where there are batches for all workers anyway, which end at
/// different times.
const LEAST_EVEN: usize = 128;

/// Groups texts of similar length for `workers` that run batches side by side:
/// positions into `lengths`, longest first, each position exactly once. Texts
/// of equal length keep their order.
///
/// A batch keeps to `limit`, and its padding to [`PADDING_TOKENS`] or one
/// token in [`PADDING_SHARE`], whichever is more; no text in it is padded by
/// more than [`PADDING_TOKENS`]. Where some workers would
/// have a batch less than others, batches are made smaller to even that out.
pub fn plan(lengths: &[usize], limit: BatchLimit, workers: usize) -> Vec<Vec<usize>> {
    let order = longest_first(lengths);
    let pack = |most| Packing {
        lengths,
        limit,
        most,
    };
    let whole = pack(usize::MAX).batches(&order);
    let tokens: usize = lengths.iter().sum();
    let share = tokens / whole.len().next_multiple_of(workers.max(1)).max(1);
    let least = match whole.len() < workers {
        true => LEAST_SHARED,
        false => LEAST_EVEN,
    };
    if workers <= 1 || share < least {
        return whole;
    }
    let longest = lengths[order[0]];
    // Whole texts seldom make up a share: one too many or one too few.
    let smaller = [share + longest - 1, share].map(|most| pack(most).batches(&order));
    let plans = std::iter::once(whole).chain(smaller);
    plans
        .min_by_key(|batches| duration(batches, lengths, workers))
        .unwrap_or_default()
}

/// Positions of texts, those of equal length in their order.
pub(super) fn longest_first(lengths: &[usize]) -> Vec<usize> {
    ordered(lengths.len(), &|one, other| {
        lengths[other].cmp(&lengths[one])
    })
}

/// How long workers are busy with batches, in tokens, if each takes the next
/// one when it is done.
fn duration(batches: &[Vec<usize>], lengths: &[usize], workers: usize) -> usize {
    let mut busy = vec![0; workers];
    for batch in batches {
        let size = batch.len() * batch.first().map_or(0, |&text| lengths[text]);
        if let Some(least) = busy.iter_mut().min() {
            *least += size + PADDING_TOKENS;
        }
    }
    busy.into_iter().max().unwrap_or(0)
}

struct Packing<'a> {
    lengths: &'a [usize],
    limit: BatchLimit,
    /// Most tokens of a batch, padding included.
    most: usize,
}

impl Packing<'_> {
    fn batches(&self, order: &[usize]) -> Vec<Vec<usize>> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let (mut longest, mut tokens) = (0, 0);
        for &text in order {
            let length = self.lengths[text];
            match batches.last_mut() {
                Some(batch)
                    if longest - length <= PADDING_TOKENS
                        && self.admits([batch.len() + 1, longest], tokens + length) =>
                {
                    batch.push(text);
                    tokens += length;
                }
                _ => {
                    (longest, tokens) = (length, length);
                    batches.push(vec![text]);
                }
            }
        }
        batches
    }

    /// Whether a batch `[rows, length]` with that many tokens of text is
    /// within all bounds.
    fn admits(&self, [rows, length]: [usize; 2], tokens: usize) -> bool {
        let size = rows.saturating_mul(length);
        let padding = size.saturating_sub(tokens);
        self.limit.admits(rows, length)
            && size <= self.most
            && padding <= (size / PADDING_SHARE).max(PADDING_TOKENS)
    }
}
