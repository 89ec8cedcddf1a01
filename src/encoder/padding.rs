//! Whether a text's vectors change when it is padded.

use crate::backend::{Padding, TokenStates};
use crate::batch::{BatchShapes, TokenBatch};
use crate::equivalence::{TextRow, ids, largest, row};
use crate::error::Result;
use crate::tokenize::TextTokenizer;

/// Tokens of the short text.
const SHORT: usize = 4;

/// Those on devices that prepare each shape: a length of their buckets.
const SHORT_IN_BUCKETS: usize = 16;

/// The largest difference of a component that rounding explains, of rows of
/// unit length. Below it, padding costs less than another engine does.
const BOUND: f32 = 1e-2;

/// The largest difference beyond that, in multiples of what the same tokens do
/// in rows of their own. Where a graph is quantized with one scale per batch,
/// any neighbour changes a text's vectors, padded or not.
const NEIGHBOURS: f32 = 2.;

/// Runs the graph on a batch.
pub(super) type Run<'a> = &'a dyn Fn(&TokenBatch) -> Result<TokenStates>;

/// A short text, and one twice as long.
pub(super) struct Texts {
    short: Vec<i64>,
    long: Vec<i64>,
    pad: i64,
}

impl Texts {
    /// Texts of at most `longest` tokens. The first token is the last of the
    /// vocabulary, so that a run shows whether the graph knows it.
    pub(super) fn new(tokenizer: &TextTokenizer, shapes: BatchShapes, longest: usize) -> Self {
        let short = match shapes {
            BatchShapes::Buckets => SHORT_IN_BUCKETS,
            _ => SHORT,
        };
        let short = short.min(longest / 2).max(1);
        let mut long = ids(tokenizer, 3 * short);
        let mut short = long.split_off(2 * short);
        short[0] = i64::from(tokenizer.largest_id());
        Self {
            short,
            long,
            pad: i64::from(tokenizer.pad_id()),
        }
    }

    /// The short text alone, `[1, short]`.
    pub(super) fn alone(&self) -> TokenBatch {
        TokenBatch::unpadded(1, self.short.clone())
    }

    /// Compares the short text in a batch with the long one, `[2, 2 * short]`,
    /// with its states `alone`.
    ///
    /// # Errors
    /// Those of a run.
    pub(super) fn padding(&self, alone: &TokenStates, run: Run<'_>) -> Result<Padding> {
        let padded = run(&self.padded())?;
        let distance = self.distance(alone, &padded, self.long.len());
        // What is not finite alone is refused in texts.
        let is_finite = alone.data.iter().all(|value| value.is_finite());
        if distance <= BOUND || !is_finite {
            return Ok(Padding::Allowed);
        }
        let beside = run(&self.side_by_side())?;
        let of_neighbours = self.distance(alone, &beside, 0);
        Ok(if distance <= BOUND + NEIGHBOURS * of_neighbours {
            Padding::Allowed
        } else {
            Padding::Avoided { distance }
        })
    }

    /// Both texts, the short one padded, `[2, 2 * short]`.
    fn padded(&self) -> TokenBatch {
        let mut batch = TokenBatch::unpadded(2, [&*self.long, &self.short, &self.pads()].concat());
        let end = self.long.len() + self.short.len();
        batch.attention_mask[end..].fill(0);
        batch
    }

    /// The same tokens without padding: the short text, the long one in two
    /// parts, and a text of padding tokens, `[4, short]`.
    fn side_by_side(&self) -> TokenBatch {
        TokenBatch::unpadded(4, [&*self.short, &self.long, &self.pads()].concat())
    }

    fn pads(&self) -> Vec<i64> {
        vec![self.pad; self.short.len()]
    }

    /// The difference of the short text's rows alone to those that begin at
    /// row `start` of other states.
    fn distance(&self, alone: &TokenStates, others: &TokenStates, start: usize) -> f32 {
        if alone.data.len() == alone.dim {
            // One row a text; texts before the short one are whole ones.
            let text = start.div_ceil(self.long.len().max(1));
            let row = |states, text| TextRow { states, text };
            return row(alone, 0).distance(row(others, text));
        }
        let rows = 0..self.short.len();
        largest(rows.map(|at| (row(alone, at), row(others, start + at))))
    }
}
