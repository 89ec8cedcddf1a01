//! Masks of attention: which tokens see which.

use ndarray::{Array2, ArrayD, Axis, IxDyn};

use super::super::Graph;
use super::super::trace::{Tensor, Trace};

/// What takes a pair of tokens out of attention.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// Added to the scores: 0, or far below.
    Added(String),
    /// A condition under which a score stays, or is replaced.
    Chosen {
        condition: String,
        keeps: bool,
        fill: f32,
    },
}

/// A mask as encoders use it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mask {
    /// Tokens see no further than this many positions, where there is a bound.
    pub(super) window: Option<usize>,
    /// What scores of unseen tokens are brought to.
    pub(super) fill: f32,
}

/// Traces of a graph on batches that show what a mask does.
pub(super) struct Probes<'g> {
    traces: Vec<(Array2<i64>, Trace<'g>)>,
}

impl<'g> Probes<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        let mut masks = vec![
            // Padding, and a token within that is not attended to.
            Array2::from_shape_fn((2, 7), |(text, at)| i64::from(text == 0 || at < 4)),
            Array2::from_shape_fn((3, 5), |(text, at)| i64::from(at != text + 1)),
        ];
        // Long enough for any window to show.
        let length = (2 * largest_bound(graph) + 3).clamp(16, 1_200);
        masks.push(Array2::ones((1, length)));
        masks.push(Array2::from_shape_fn((1, length), |(_, at)| {
            i64::from(at < length / 3)
        }));
        let traces = masks
            .into_iter()
            .map(|mask| {
                let trace = Trace::run(graph, &mask);
                (mask, trace)
            })
            .collect();
        Self { traces }
    }

    /// The mask that the terms come to. `None` if it is not one of padding
    /// and perhaps a window on either side.
    pub(super) fn mask(&self, terms: &[Term]) -> Option<Mask> {
        let mut fill: Option<f32> = None;
        let mut seen = Vec::new();
        for (mask, trace) in &self.traces {
            let (visible, found) = visible(trace, terms, mask.dim())?;
            if let Some(found) = found {
                if fill.is_some_and(|fill| fill != found) {
                    return None;
                }
                fill = Some(found);
            }
            seen.push(visible);
        }
        let unmasked = self
            .traces
            .iter()
            .position(|(mask, _)| mask.iter().all(|&one| one == 1))?;
        let window = window(&seen[unmasked])?;
        for ((mask, _), visible) in self.traces.iter().zip(&seen) {
            for (at, &is_visible) in visible.indexed_iter() {
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

/// `[batch, length, length]` of whether a row sees a column, and what unseen
/// scores are brought to.
fn visible(
    trace: &Trace<'_>,
    terms: &[Term],
    (batch, length): (usize, usize),
) -> Option<(ArrayD<bool>, Option<f32>)> {
    let shape = [batch, 1, length, length];
    let mut visible = ArrayD::from_elem(IxDyn(&shape), true);
    let mut fill = None;
    for term in terms {
        let mut hide = |found: f32| match fill {
            // Terms may add up.
            Some(before) if before != found && found > before => fill = Some(before),
            _ => fill = Some(found),
        };
        match term {
            Term::Added(name) => {
                let Some(Tensor::Float(added)) = trace.get(name) else {
                    return None;
                };
                let added = of_any_head(added)?;
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
            Term::Chosen {
                condition,
                keeps,
                fill,
            } => {
                let Some(Tensor::Bool(condition)) = trace.get(condition) else {
                    return None;
                };
                let condition = of_any_head(condition)?;
                for (visible, is) in visible.iter_mut().zip(condition.broadcast(&shape[..])?) {
                    if is != keeps {
                        *visible = false;
                        hide(*fill);
                    }
                }
            }
        }
    }
    let visible = visible
        .into_shape_with_order(IxDyn(&[batch, length, length]))
        .ok()?;
    Some((visible, fill))
}

/// What is given for each head, where it is the same for all.
fn of_any_head<T: Clone + PartialEq>(mask: &ArrayD<T>) -> Option<ArrayD<T>> {
    if mask.ndim() != 4 || mask.shape()[1] == 1 {
        return Some(mask.clone());
    }
    let first = mask.index_axis(Axis(1), 0);
    let is_same = mask.axis_iter(Axis(1)).all(|head| head == first);
    is_same.then(|| first.insert_axis(Axis(1)).to_owned())
}

/// How far the middle row of an unpadded text sees; `Some(None)` without a
/// bound.
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

/// The largest small number that positions are compared with.
fn largest_bound(graph: &Graph) -> usize {
    let trace = Trace::unpadded(graph, 1, 2);
    let compares = ["Less", "LessOrEqual", "Greater", "GreaterOrEqual"];
    graph
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
