//! Traces of a graph that tell attentions apart.

use std::cell::RefCell;

use ndarray::Array2;

use super::mask::{self, Mask, Probe};
use super::origins::Origins;
use super::sight;
use super::terms::{self, Term, Terms};
use crate::fuse::{BATCH, LENGTH};
use crate::index::ValueIndex;
use crate::trace::{Tensor, Trace};

/// Traces of a graph on several batches.
pub(in crate::fuse) struct Probes<'g> {
    origins: Origins<'g>,
    /// On the shape that graphs are traced with.
    drawn: Trace<'g>,
    batches: Vec<Probe<'g>>,
    /// What layers with the same masks have in common.
    known: RefCell<Vec<Known>>,
}

struct Known {
    heads: usize,
    terms: Vec<Term>,
    changes: Option<Changes>,
}

/// What happens to scores before the softmax.
#[derive(Clone)]
pub(super) struct Changes {
    pub(super) mask: Option<Mask>,
    /// Values that are added and depend on positions alone.
    pub(super) biases: Vec<String>,
}

impl<'g> Probes<'g> {
    pub(in crate::fuse) fn new(index: &'g ValueIndex<'g>) -> Self {
        let unpadded = |length| Probe::new(index, Array2::ones((1, length)));
        let short = unpadded(16);
        let long = longest(index, short.trace.known());
        let length = long.mask.ncols();
        let batches = vec![
            // No padding, and padding after and before a text.
            Probe::new(
                index,
                Array2::from_shape_fn((3, 7), |(text, at)| i64::from([true, at < 4, at > 1][text])),
            ),
            // A masked token within a text.
            Probe::new(
                index,
                Array2::from_shape_fn((3, 5), |(text, at)| i64::from(at != text + 1)),
            ),
            short,
            long,
            Probe::new(
                index,
                Array2::from_shape_fn((1, length), |(_, at)| i64::from(at < length / 3)),
            ),
        ];
        Self {
            origins: Origins::new(index),
            drawn: Trace::run_drawn(index, &Array2::ones((BATCH, LENGTH))),
            batches,
            known: RefCell::default(),
        }
    }

    pub(super) fn origins(&self) -> &Origins<'g> {
        &self.origins
    }

    /// A trace on the shape that graphs are traced with, in which small weights
    /// are known, though perhaps not by their own numbers.
    pub(super) fn drawn(&self) -> &Trace<'g> {
        &self.drawn
    }

    pub(super) fn traces(&self) -> impl Iterator<Item = &Trace<'g>> + Clone {
        self.batches.iter().map(|probe| &probe.trace)
    }

    /// Whether values are the same for all texts of a batch, padded or not. Each
    /// text has a row of its own along the first of more than two axes.
    pub(super) fn are_same_for_texts(&self, values: &[&str]) -> bool {
        self.traces().all(|trace| {
            values.iter().all(|value| match trace.get(value) {
                Some(Tensor::Float(table)) if table.ndim() > 2 => {
                    let mut texts = table.outer_iter();
                    let first = texts.next();
                    texts.all(|text| Some(&text) == first.as_ref())
                }
                Some(Tensor::Float(_)) => true,
                _ => false,
            })
        })
    }

    /// What terms do to the scores of that many heads; `None` if something else
    /// than to mask them, or to add what depends on positions alone.
    pub(super) fn changes(&self, terms: &[Term], heads: usize) -> Option<Changes> {
        let mut known = self.known.borrow_mut();
        let is_same =
            |known: &&Known| known.heads == heads && has_same_changes(&known.terms, terms);
        if let Some(known) = known.iter().find(is_same) {
            return known.changes.clone();
        }
        let changes = self.find_changes(terms, heads);
        known.push(Known {
            heads,
            terms: terms.to_vec(),
            changes: changes.clone(),
        });
        changes
    }

    fn find_changes(&self, terms: &[Term], heads: usize) -> Option<Changes> {
        let Terms { masks, biases } = terms::sort(self.traces(), &self.origins, terms)?;
        let mask = if masks.is_empty() {
            None
        } else {
            Some(mask::find(&self.batches, heads, &masks)?)
        };
        Some(Changes { mask, biases })
    }
}

/// A text as long as the graph has positions for, of which as many values are
/// `known` as of a short one, and longer than its windows if possible.
fn longest<'g>(index: &'g ValueIndex<'g>, known: usize) -> Probe<'g> {
    let mut length = sight::longest(index);
    loop {
        let probe = Probe::new(index, Array2::ones((1, length)));
        if probe.trace.known() == known || length < 32 {
            return probe;
        }
        length /= 2;
    }
}

/// Whether terms change scores of the same shape in the same way.
fn has_same_changes(one: &[Term], other: &[Term]) -> bool {
    let mut pairs = one.iter().zip(other);
    one.len() == other.len()
        && pairs.all(|(one, other)| (&one.change, &one.shape) == (&other.change, &other.shape))
}
