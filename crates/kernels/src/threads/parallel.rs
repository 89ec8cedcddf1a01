//! Work on several threads, whoever owns them.

use std::ops::Range;

/// Threads that an engine lends to a kernel.
pub trait Parallel: Sync {
    /// How many tasks make progress at the same time; at least 1.
    fn threads(&self) -> usize;

    /// Calls `task` with `0..count`, each number once, in any order, and
    /// returns when all are done.
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync));
}

/// The calling thread alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Parallel for Serial {
    fn threads(&self) -> usize {
        1
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(task);
    }
}

/// A slice whose parts are written by different tasks.
pub(crate) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    lifetime: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: parts are handed out by `part` alone, whose callers keep them apart.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            data: slice.as_mut_ptr(),
            len: slice.len(),
            lifetime: std::marker::PhantomData,
        }
    }

    /// The address of an element, to be hinted at.
    #[inline(always)]
    pub(crate) fn at(&self, at: usize) -> *const T {
        self.data.wrapping_add(at)
    }

    /// Where a range begins, of which parts are written by others.
    ///
    /// # Panics
    /// If the range is not within the slice.
    #[inline(always)]
    pub(crate) fn range(&self, range: Range<usize>) -> *mut T {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the slice.
        unsafe { self.data.add(range.start) }
    }

    /// # Safety
    /// No two parts that are in use at the same time may overlap.
    ///
    /// # Panics
    /// If the range is not within the slice.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: within the slice, and apart from all others by contract.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(range.start), range.len()) }
    }
}

/// Has `task` make rows of rows, `[rows, columns]` of both, in parts of no fewer
/// than `least`, so that threads are not woken for a few.
///
/// # Panics
/// If the slices are not of the same size, or not of whole rows.
pub(crate) fn for_rows(
    (rows, columns): (&[f32], usize),
    out: &mut [f32],
    least: usize,
    threads: &dyn Parallel,
    task: &(dyn Fn(&[f32], &mut [f32]) + Sync),
) {
    let count = rows.len().checked_div(columns).unwrap_or(0);
    assert_eq!(rows.len(), count * columns, "whole rows");
    assert_eq!(rows.len(), out.len(), "a row for each");
    let parts = ranges(count, (count / least).min(4 * threads.threads()));
    let out = Shared::new(out);
    threads.run(parts.len(), &|at| {
        let part = parts[at].start * columns..parts[at].end * columns;
        // SAFETY: the ranges do not overlap.
        let out = unsafe { out.part(part.clone()) };
        task(&rows[part], out);
    });
}

/// `count` things in about `parts` equal ranges, none empty.
pub(crate) fn ranges(count: usize, parts: usize) -> Vec<Range<usize>> {
    let parts = parts.clamp(1, count.max(1));
    (0..parts)
        .map(|at| count * at / parts..count * (at + 1) / parts)
        .filter(|range| !range.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_all_once() {
        for count in 0..20 {
            for parts in 0..25 {
                let all: Vec<usize> = ranges(count, parts).into_iter().flatten().collect();
                assert!(all.into_iter().eq(0..count), "{count} in {parts}");
            }
        }
    }
}
