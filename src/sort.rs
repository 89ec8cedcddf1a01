//! Sorting by position.

use std::cmp::Ordering;

/// Positions `0..count` in the order of `compare`; equal ones keep their
/// order. Not generic, so that browser modules contain one sort only.
pub(crate) fn sort_positions(
    count: usize,
    compare: &dyn Fn(usize, usize) -> Ordering,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&one, &other| compare(one, other));
    order
}
