//! The order of things by their positions.

use std::cmp::Ordering;

/// Positions `0..count` as `compare` orders them, equal ones as they come. One
/// copy of a sort's instructions for all, since browsers load them.
pub(crate) fn ordered(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&one, &other| compare(one, other));
    order
}
