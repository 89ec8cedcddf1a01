//! What is added to scores, or replaces them: masks and biases, which may be
//! added up first.

use ndarray::{ArrayD, IxDyn};

use super::origins::Origins;
use crate::fuse::BATCH;
use crate::trace::{Tensor, Trace};

/// A change of scores.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) change: Change,
    /// The shape of the changed scores, as graphs are traced.
    pub(super) shape: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// Adds a value.
    Added(String),
    /// Replaces scores by `fill`, depending on a condition.
    Selected {
        condition: String,
        /// Whether scores are kept where the condition holds.
        keeps: bool,
        fill: f32,
    },
}

/// Changes of scores by what they do.
#[derive(Default)]
pub(super) struct Terms {
    /// Hide positions.
    pub(super) masks: Vec<Term>,
    /// Values that are added to scores `[batch, heads, length, length]` and depend
    /// on positions alone.
    pub(super) biases: Vec<String>,
}

/// The largest number by which a mask hides a position.
pub(super) const LOW: f32 = -1e4;

/// Tells masks and biases apart, with traces on several batches. `None` if a
/// change is neither.
pub(super) fn sort<'t, 'g: 't>(
    traces: impl Iterator<Item = &'t Trace<'g>> + Clone,
    origins: &Origins<'g>,
    terms: &[Term],
) -> Option<Terms> {
    let mut sorted = Terms::default();
    let mut open = terms.to_vec();
    // Sums are taken apart; the bound guards against corrupt graphs.
    for _ in 0..64 {
        let Some(term) = open.pop() else {
            return Some(sorted);
        };
        let Change::Added(value) = &term.change else {
            sorted.masks.push(term);
            continue;
        };
        match kind(traces.clone(), value) {
            Kind::Mask => sorted.masks.push(term),
            Kind::Bias if !origins.has_mask(value) => {
                (term.shape.len() == 4).then_some(())?;
                sorted.biases.push(value.clone());
            }
            _ => open.extend(
                parts(traces.clone(), value)?
                    .into_iter()
                    .map(|change| Term {
                        change,
                        ..term.clone()
                    }),
            ),
        }
    }
    None
}

enum Kind {
    /// Each number is 0 or hides a position.
    Mask,
    /// No number hides a position, or the numbers are not known.
    Bias,
    Mixed,
}

fn kind<'t, 'g: 't>(traces: impl Iterator<Item = &'t Trace<'g>>, value: &str) -> Kind {
    let (mut hides, mut moves) = (false, false);
    for trace in traces {
        match trace.get(value) {
            Some(Tensor::Float(numbers)) => {
                for &number in numbers {
                    hides |= number <= LOW;
                    // NaN is neither.
                    moves |= !(number == 0. || number <= LOW);
                }
            }
            _ => moves = true,
        }
    }
    match (hides, moves) {
        (_, false) => Kind::Mask,
        (false, true) => Kind::Bias,
        (true, true) => Kind::Mixed,
    }
}

/// The changes that a value does together.
fn parts<'t, 'g: 't>(
    mut traces: impl Iterator<Item = &'t Trace<'g>> + Clone,
    value: &str,
) -> Option<Vec<Change>> {
    let first = traces.clone().next()?;
    let node = first.index().producer(value)?;
    let added = |name: &String| Change::Added(name.clone());
    Some(match (node.op_type.as_deref()?, node.input.as_slice()) {
        ("Add", [left, right]) => vec![added(left), added(right)],
        ("Where", [condition, kept, filled]) => {
            let number = |name: &str| first.get(name)?.uniform().filter(|&fill| fill <= LOW);
            let (keeps, value, fill) = match (number(kept), number(filled)) {
                (None, Some(fill)) => (true, kept, fill),
                (Some(fill), None) => (false, filled, fill),
                _ => return None,
            };
            let condition = condition.clone();
            let selected = Change::Selected {
                condition,
                keeps,
                fill,
            };
            vec![added(value), selected]
        }
        (_, [inner, ..]) => {
            let is_same = traces.all(|trace| is_same(trace, inner, value).unwrap_or(false));
            is_same.then(|| vec![added(inner)])?
        }
        _ => return None,
    })
}

/// Whether two values are the same once they are broadcast.
fn is_same(trace: &Trace<'_>, inner: &str, outer: &str) -> Option<bool> {
    let (Tensor::Float(inner), Tensor::Float(outer)) = (trace.get(inner)?, trace.get(outer)?)
    else {
        return None;
    };
    Some(inner.broadcast(outer.shape())? == outer)
}

/// The sizes of a batch of scores.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) length: usize,
}

impl Term {
    /// A change as `[batch, heads, length, length]`, or with 1 in place of axes
    /// along which it is the same, of scores of these sizes.
    pub(super) fn spread<T: Clone>(&self, change: &ArrayD<T>, sizes: Sizes) -> Option<ArrayD<T>> {
        let Sizes {
            batch,
            heads,
            length,
        } = sizes;
        let [first, middle @ .., _, _] = self.shape.as_slice() else {
            return None;
        };
        let texts = if *first == BATCH {
            batch
        } else {
            batch * heads
        };
        let scores = [&[texts], middle, &[length, length]].concat();
        if scores.len() == 4 {
            let missing = 4usize.checked_sub(change.ndim())?;
            let shape = [&[1; 4][..missing], change.shape()].concat();
            let mut pairs = shape.iter().zip(&scores);
            pairs
                .all(|(&dim, &size)| dim == 1 || dim == size)
                .then_some(())?;
            let change = change.to_shape(IxDyn(&shape)).ok()?;
            return Some(change.into_owned());
        }
        let whole = change.broadcast(scores)?;
        let shape = IxDyn(&[batch, heads, length, length]);
        let whole = whole.as_standard_layout().into_owned();
        whole.into_shape_with_order(shape).ok()
    }
}
