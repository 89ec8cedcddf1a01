//! How far a token sees.

use std::collections::{BTreeSet, HashSet};

use ndarray::ArrayD;

use super::terms::{Change, Term};
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::trace::Trace;

/// How many positions before and after its own a token sees; `None` for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) before: Option<usize>,
    pub(super) after: Option<usize>,
}

impl Sight {
    /// Whether the token at `row` sees the one at `column`.
    pub(super) fn reaches(self, row: usize, column: usize) -> bool {
        let before = row.saturating_sub(column);
        let after = column.saturating_sub(row);
        self.before.is_none_or(|most| before <= most) && self.after.is_none_or(|most| after <= most)
    }
}

/// How far tokens see in texts of a length.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) sight: Sight,
    pub(super) length: usize,
}

/// How far the middle row of an unpadded text sees, by the pairs `[1, length,
/// length]` that are visible.
pub(super) fn of_middle(visible: &ArrayD<bool>) -> Option<Sight> {
    let &[_, _, length] = visible.shape() else {
        return None;
    };
    let middle = length / 2;
    let mut seen = (0..length).filter(|&column| visible[[0, middle, column]]);
    let first = seen.next()?;
    let last = seen.next_back().unwrap_or(first);
    Some(Sight {
        before: (first > 0).then_some(middle.checked_sub(first)?),
        after: (last + 1 < length).then_some(last.checked_sub(middle)?),
    })
}

/// Lengths of texts that graphs are traced with to see how far a token sees.
const LEAST: usize = 300;
const MOST: usize = 1_200;

/// A length of texts that is longer than the windows of the graph, as far as it
/// can be tried.
pub(super) fn longest(index: &ValueIndex<'_>) -> usize {
    let trace = Trace::unpadded(index, 1, 2);
    let compares = ["Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Trilu"];
    let nodes = index.graph().nodes().iter();
    let bounds = nodes
        .filter(|node| compares.iter().any(|name| node.is(name)))
        .flat_map(|node| &node.input)
        .filter_map(|name| bound(&trace, name))
        .filter(|&bound| span(bound) <= MOST);
    bounds.max().map_or(LEAST, span).max(LEAST)
}

/// A length at which the middle of a text does not see its ends.
fn span(bound: usize) -> usize {
    2 * bound + 3
}

/// A single number that may be a bound of positions, without its sign.
fn bound(trace: &Trace<'_>, name: &str) -> Option<usize> {
    let value = trace.get(name)?;
    if value.shape().iter().any(|&dim| dim != 1) {
        return None;
    }
    let number = match value.ints() {
        Some(ints) => *ints.first()?,
        None => value
            .uniform()
            .filter(|number| number.fract() == 0. && *number > -1e4)? as i64,
    };
    usize::try_from(number.unsigned_abs())
        .ok()
        .filter(|&bound| bound <= 1_000_000)
}

/// The sight of which `sight` is what texts of `length` tokens show. They may be
/// too short to show windows, so constants that may be such are replaced by
/// smaller ones; `seen_with` is what is seen with a number in place of a
/// constant.
pub(super) fn with_wide_windows(
    trace: &Trace<'_>,
    terms: &[Term],
    Shown { sight, length }: Shown,
    mut seen_with: impl FnMut(&str, i64) -> Option<Sight>,
) -> Option<Sight> {
    let mut found = sight;
    for (name, window) in wide_bounds(trace, terms, length) {
        let sign = if is_negative(trace, name)? { -1 } else { 1 };
        let [one, other] = [3, 5].map(|small: i64| seen_with(name, sign * small));
        let (one, other) = (one?, other?);
        if one == sight && other == sight {
            continue;
        }
        // Only one window, and nothing else that bounds this side.
        if found != sight {
            return None;
        }
        found = Sight {
            before: widened(sight.before, [one.before, other.before], window)?,
            after: widened(sight.after, [one.after, other.after], window)?,
        };
    }
    Some(found)
}

/// How far a token sees to one side with a window of `window`, if it sees as far
/// as `small` with windows of 3 and 5.
fn widened(side: Option<usize>, small: [Option<usize>; 2], window: usize) -> Option<Option<usize>> {
    match small {
        [one, other] if one == side && other == side => Some(side),
        [Some(one), Some(other)] if side.is_none() && one + 2 == other => {
            Some(Some((window + one).checked_sub(3)?))
        }
        _ => None,
    }
}

fn is_negative(trace: &Trace<'_>, name: &str) -> Option<bool> {
    let value = trace.get(name)?;
    Some(match value.ints() {
        Some(ints) => *ints.first()? < 0,
        None => value.uniform()? < 0.,
    })
}

/// Constants that the changes are computed from and that may be windows too wide
/// for a trace.
fn wide_bounds<'g>(trace: &Trace<'g>, terms: &[Term], length: usize) -> Vec<(&'g str, usize)> {
    let names = terms.iter().flat_map(|term| {
        let value = match &term.change {
            Change::Added(value) => value,
            Change::Selected { condition, .. } => condition,
        };
        constants(trace.index(), value)
    });
    let names: BTreeSet<&str> = names.collect();
    let bounds = names.into_iter().filter_map(|name| {
        let bound = bound(trace, name).filter(|&bound| span(bound) > length);
        Some((name, bound?))
    });
    bounds.collect()
}

/// The constants that a value is computed from.
pub(super) fn constants<'g>(index: &ValueIndex<'g>, value: &str) -> BTreeSet<&'g str> {
    let mut visited = HashSet::new();
    let mut found = BTreeSet::new();
    let mut open: Vec<&NodeProto> = index.producer(value).into_iter().collect();
    while let Some(node) = open.pop() {
        if node.is("Shape") || node.is("Size") {
            continue;
        }
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            if visited.insert(name.as_str()) {
                match index.producer(name) {
                    Some(node) if !node.is("Constant") => open.push(node),
                    _ => found.extend([name.as_str()]),
                }
            }
        }
    }
    found
}
