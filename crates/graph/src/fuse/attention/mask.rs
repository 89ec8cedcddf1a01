//! Masks of attention: which tokens a token sees.

use ndarray::{Array2, ArrayD, Axis, IxDyn};

use super::sight::{self, Shown, Sight};
use super::terms::{Change, LOW, Sizes, Term};
use crate::index::ValueIndex;
use crate::trace::{Tensor, Trace};

/// A mask of padding, and of what a token sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mask {
    /// Whether padding is hidden.
    pub(super) hides_padding: bool,
    pub(super) sight: Sight,
    /// The score of tokens that are not seen.
    pub(super) fill: f32,
}

/// A trace on one batch, and the attention mask of the batch, `[batch, length]`.
pub(super) struct Probe<'g> {
    pub(super) mask: Array2<i64>,
    pub(super) trace: Trace<'g>,
}

impl<'g> Probe<'g> {
    pub(super) fn new(index: &'g ValueIndex<'g>, mask: Array2<i64>) -> Self {
        let trace = Trace::run_drawn(index, &mask);
        Self { mask, trace }
    }

    fn is_padded(&self) -> bool {
        self.mask.iter().any(|&token| token == 0)
    }

    /// A value as it would be with another number in place of a constant.
    fn with_number(&self, value: &str, constant: &str, number: i64) -> Option<Tensor> {
        let shape = self.trace.shape(constant)?;
        let replaced = match self.trace.get(constant)? {
            Tensor::Float(_) => Tensor::Float(ArrayD::from_elem(shape, number as f32)),
            _ => Tensor::Int(ArrayD::from_elem(shape, number)),
        };
        if sight::constants(self.trace.index(), value).contains(&constant) {
            self.trace.replay(value, constant, replaced)
        } else {
            self.trace.get(value).cloned()
        }
    }
}

/// The mask that terms together are; `None` if it is of another kind.
pub(super) fn find(probes: &[Probe<'_>], heads: usize, terms: &[Term]) -> Option<Mask> {
    let mut fill: Option<f32> = None;
    let mut seen = Vec::new();
    for probe in probes {
        let found = visible(probe, heads, terms)?;
        if let Some(found) = found.fill {
            if fill.is_some_and(|fill| fill != found) {
                return None;
            }
            fill = Some(found);
        }
        seen.push(found.pairs);
    }
    let longest = probes
        .iter()
        .zip(&seen)
        .filter(|(probe, _)| !probe.is_padded());
    let (longest, pairs) = longest.max_by_key(|(probe, _)| probe.mask.ncols())?;
    let length = longest.mask.ncols();
    let sight = sight::of_middle(pairs)?;
    let hides_padding = [true, false].into_iter().find(|&hides_padding| {
        probes.iter().zip(&seen).all(|(probe, pairs)| {
            pairs.indexed_iter().all(|(at, &is_visible)| {
                let (text, row, column) = (at[0], at[1], at[2]);
                let is_token = !hides_padding || probe.mask[[text, column]] == 1;
                is_visible == (is_token && sight.reaches(row, column))
            })
        })
    })?;
    let shortest = probes.iter().filter(|probe| !probe.is_padded());
    let shortest = shortest.min_by_key(|probe| probe.mask.ncols())?;
    let seen_with = |constant: &str, number: i64| {
        let found = visible_with(shortest, heads, terms, |value| {
            shortest.with_number(value, constant, number)
        })?;
        if fill.is_none() {
            fill = found.fill;
        }
        sight::of_middle(&found.pairs)
    };
    let shown = Shown { sight, length };
    let sight = sight::with_wide_windows(&shortest.trace, terms, shown, seen_with)?;
    Some(Mask {
        hides_padding,
        sight,
        // Any will do where nothing is hidden.
        fill: fill.unwrap_or(f32::NEG_INFINITY),
    })
}

/// The effect of a mask on one batch.
struct Visible {
    /// `[batch, length, length]`, whether a row sees a column.
    pairs: ArrayD<bool>,
    /// The score of tokens that are not seen, if there are any.
    fill: Option<f32>,
}

fn visible(probe: &Probe<'_>, heads: usize, terms: &[Term]) -> Option<Visible> {
    visible_with(probe, heads, terms, |value| probe.trace.get(value).cloned())
}

/// What rows see of a batch if the values of the terms are these.
fn visible_with(
    probe: &Probe<'_>,
    heads: usize,
    terms: &[Term],
    value: impl Fn(&str) -> Option<Tensor>,
) -> Option<Visible> {
    let (batch, length) = probe.mask.dim();
    let sizes = Sizes {
        batch,
        heads,
        length,
    };
    let shape = [batch, 1, length, length];
    let mut visible = ArrayD::from_elem(IxDyn(&shape), true);
    let mut fill: Option<f32> = None;
    // The lowest of all terms counts.
    let mut hide = |found: f32| fill = Some(fill.map_or(found, |before| before.min(found)));
    for term in terms {
        match &term.change {
            Change::Added(name) => {
                let Tensor::Float(added) = value(name)? else {
                    return None;
                };
                let added = same_for_heads(term.spread(&added, sizes)?)?;
                for (visible, &added) in visible.iter_mut().zip(added.broadcast(&shape[..])?) {
                    if added != 0. {
                        (added <= LOW).then_some(())?;
                        *visible = false;
                        hide(added);
                    }
                }
            }
            Change::Selected {
                condition,
                keeps,
                fill,
            } => {
                let Tensor::Bool(condition) = value(condition)? else {
                    return None;
                };
                let condition = same_for_heads(term.spread(&condition, sizes)?)?;
                for (visible, is) in visible.iter_mut().zip(condition.broadcast(&shape[..])?) {
                    if is != keeps {
                        *visible = false;
                        hide(*fill);
                    }
                }
            }
        }
    }
    let pairs = IxDyn(&[batch, length, length]);
    Some(Visible {
        pairs: visible.into_shape_with_order(pairs).ok()?,
        fill,
    })
}

/// A mask with a single head, if it is the same for all heads.
fn same_for_heads<T: Clone + PartialEq>(mask: ArrayD<T>) -> Option<ArrayD<T>> {
    let first = mask.index_axis(Axis(1), 0);
    let is_same = mask.axis_iter(Axis(1)).all(|head| head == first);
    is_same.then(|| first.insert_axis(Axis(1)).to_owned())
}
