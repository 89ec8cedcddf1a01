//! Masks of attention: which tokens a token sees.

use ndarray::{Array2, ArrayD, Axis, IxDyn};

use crate::index::ValueIndex;
use crate::trace::{Tensor, Trace};

/// A node that masks scores.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// Adds 0 or a large negative number.
    Added(String),
    /// Replaces scores by `fill`, depending on a condition.
    Selected {
        condition: String,
        /// Whether scores are kept where the condition holds.
        keeps: bool,
        fill: f32,
    },
}

/// A mask of padding, and perhaps of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mask {
    /// How many positions a token sees to either side; `None` for all.
    pub(super) window: Option<usize>,
    /// The score of tokens that are not seen.
    pub(super) fill: f32,
}

/// Traces of a graph on batches that tell masks apart.
pub(super) struct Probes<'g> {
    traces: Vec<(Array2<i64>, Trace<'g>)>,
}

impl<'g> Probes<'g> {
    pub(super) fn new(index: &'g ValueIndex<'g>) -> Self {
        let mut masks = vec![
            // Padding, and a masked token within a text.
            Array2::from_shape_fn((2, 7), |(text, at)| i64::from(text == 0 || at < 4)),
            Array2::from_shape_fn((3, 5), |(text, at)| i64::from(at != text + 1)),
        ];
        // Longer than any window.
        let length = (2 * largest_bound(index) + 3).clamp(16, 1_200);
        masks.push(Array2::ones((1, length)));
        masks.push(Array2::from_shape_fn((1, length), |(_, at)| {
            i64::from(at < length / 3)
        }));
        let traces = masks
            .into_iter()
            .map(|mask| {
                let trace = Trace::run(index, &mask);
                (mask, trace)
            })
            .collect();
        Self { traces }
    }

    /// The mask that the terms together are; `None` if it is of another kind.
    pub(super) fn mask(&self, terms: &[Term]) -> Option<Mask> {
        let mut fill: Option<f32> = None;
        let mut seen = Vec::new();
        for (mask, trace) in &self.traces {
            let Visible { pairs, fill: found } = visible(trace, terms, mask)?;
            if let Some(found) = found {
                if fill.is_some_and(|fill| fill != found) {
                    return None;
                }
                fill = Some(found);
            }
            seen.push(pairs);
        }
        let unmasked = self
            .traces
            .iter()
            .position(|(mask, _)| mask.iter().all(|&token| token == 1))?;
        let window = window(&seen[unmasked])?;
        for ((mask, _), pairs) in self.traces.iter().zip(&seen) {
            for (at, &is_visible) in pairs.indexed_iter() {
                let (text, row, column) = (at[0], at[1], at[2]);
                let is_near = window.is_none_or(|window| row.abs_diff(column) <= window);
                if is_visible != (mask[[text, column]] == 1 && is_near) {
                    return None;
                }
            }
        }
        Some(Mask {
            window,
            fill: fill?,
        })
    }
}

/// The effect of a mask on one batch.
struct Visible {
    /// `[batch, length, length]`, whether a row sees a column.
    pairs: ArrayD<bool>,
    /// The score of tokens that are not seen, if there are any.
    fill: Option<f32>,
}

/// What rows see of a batch with that attention mask, `[batch, length]`.
fn visible(trace: &Trace<'_>, terms: &[Term], mask: &Array2<i64>) -> Option<Visible> {
    let (batch, length) = mask.dim();
    let shape = [batch, 1, length, length];
    let mut visible = ArrayD::from_elem(IxDyn(&shape), true);
    let mut fill = None;
    for term in terms {
        let mut hide = |found: f32| match fill {
            // The lowest of all terms counts.
            Some(before) if before != found && found > before => fill = Some(before),
            _ => fill = Some(found),
        };
        match term {
            Term::Added(name) => {
                let Some(Tensor::Float(added)) = trace.get(name) else {
                    return None;
                };
                let added = same_for_heads(added)?;
                for (visible, &added) in visible.iter_mut().zip(added.broadcast(&shape[..])?) {
                    match added {
                        0. => {}
                        low if low <= -1e4 => {
                            *visible = false;
                            hide(low);
                        }
                        _ => return None,
                    }
                }
            }
            Term::Selected {
                condition,
                keeps,
                fill,
            } => {
                let Some(Tensor::Bool(condition)) = trace.get(condition) else {
                    return None;
                };
                let condition = same_for_heads(condition)?;
                for (visible, is) in visible.iter_mut().zip(condition.broadcast(&shape[..])?) {
                    if is != keeps {
                        *visible = false;
                        hide(*fill);
                    }
                }
            }
        }
    }
    let pairs = visible
        .into_shape_with_order(IxDyn(&[batch, length, length]))
        .ok()?;
    Some(Visible { pairs, fill })
}

/// A mask with a single head, if it is the same for all heads.
fn same_for_heads<T: Clone + PartialEq>(mask: &ArrayD<T>) -> Option<ArrayD<T>> {
    if mask.ndim() != 4 || mask.shape()[1] == 1 {
        return Some(mask.clone());
    }
    let first = mask.index_axis(Axis(1), 0);
    let is_same = mask.axis_iter(Axis(1)).all(|head| head == first);
    is_same.then(|| first.insert_axis(Axis(1)).to_owned())
}

/// How far the middle row of an unpadded text sees; `Some(None)` if it sees the
/// whole text.
fn window(visible: &ArrayD<bool>) -> Option<Option<usize>> {
    let length = visible.shape()[1];
    let middle = length / 2;
    let seen = |column: usize| visible[[0, middle, column]];
    if (0..length).all(seen) {
        return Some(None);
    }
    let far = (0..length)
        .filter(|&column| seen(column))
        .map(|column| column.abs_diff(middle));
    far.max().map(Some)
}

/// The largest number below 600 that a node compares with: the window is one
/// of these numbers.
fn largest_bound(index: &ValueIndex<'_>) -> usize {
    let trace = Trace::unpadded(index, 1, 2);
    let compares = ["Less", "LessOrEqual", "Greater", "GreaterOrEqual"];
    index
        .graph()
        .nodes()
        .iter()
        .filter(|node| compares.iter().any(|name| node.is(name)))
        .flat_map(|node| &node.input)
        .filter_map(|name| {
            let bounds = trace.get(name)?;
            let bound = match bounds.ints() {
                Some(ints) => *ints.first()?,
                None => bounds.uniform()? as i64,
            };
            bounds
                .shape()
                .iter()
                .all(|&dim| dim == 1)
                .then_some(bound.unsigned_abs())
        })
        .filter_map(|bound| usize::try_from(bound).ok().filter(|&bound| bound < 600))
        .max()
        .unwrap_or(0)
}
