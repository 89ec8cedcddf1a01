//! Work on several threads, whoever owns them.

use std::marker::PhantomData;
use std::ops::Range;
use std::slice;

/// Threads that an engine lends to a kernel.
///
/// Implemented by [`Serial`] for callers without threads, by
/// [`Pool`](crate::Pool) for threads that others start, such as workers of a
/// page, and by [`ThreadPool`](crate::ThreadPool), which starts its own. Engines
/// implement it for threads of theirs.
pub trait Parallel: Sync {
    /// How many tasks make progress at the same time; at least 1.
    fn threads(&self) -> usize;

    /// Calls `task` once with each number in `0..count`, in any order, and
    /// returns when all calls have returned.
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync));
}

/// So that a pool in a `static` can be handed on as it is.
impl<P: Parallel + ?Sized> Parallel for &P {
    fn threads(&self) -> usize {
        (**self).threads()
    }

    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        (**self).run(count, task);
    }
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
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: elements are reached through raw pointers, and through `part`, whose
// callers promise that parts in use do not overlap; so a thread that shares this
// gets elements of its own, as if they had been sent to it.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            data: slice.as_mut_ptr(),
            len: slice.len(),
            slice: PhantomData,
        }
    }

    /// The address of an element, for prefetching; it may be out of bounds.
    #[inline(always)]
    pub(crate) fn at(&self, at: usize) -> *const T {
        self.data.wrapping_add(at)
    }

    /// The address of a range that other tasks write parts of.
    ///
    /// # Panics
    /// If the range is out of bounds.
    #[inline(always)]
    pub(crate) fn range(&self, range: Range<usize>) -> *mut T {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the assertion keeps it within the slice.
        unsafe { self.data.add(range.start) }
    }

    /// A part of the slice, for one task.
    ///
    /// # Safety
    /// Parts that are in use at the same time must not overlap.
    ///
    /// # Panics
    /// If the range is out of bounds.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the assertion keeps it within the slice, which is borrowed
        // mutably for `'a`; the caller keeps parts from overlapping.
        unsafe { slice::from_raw_parts_mut(self.data.add(range.start), range.len()) }
    }
}

/// Rows of `columns` values each.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) columns: usize,
}

/// Calls `task` with parts of `input` and the same rows of `out`, of at least
/// `min_rows` rows each, so that no thread is woken for a few.
///
/// # Panics
/// If the slices differ in size, or end within a row.
pub(crate) fn for_rows(
    input: Matrix<'_>,
    out: &mut [f32],
    min_rows: usize,
    threads: &dyn Parallel,
    task: &(dyn Fn(&[f32], &mut [f32]) + Sync),
) {
    let Matrix { values, columns } = input;
    let count = values.len().checked_div(columns).unwrap_or(0);
    assert_eq!(values.len(), count * columns, "whole rows");
    assert_eq!(values.len(), out.len(), "as many outputs as inputs");
    let parts = ranges(count, (count / min_rows).min(4 * threads.threads()));
    let out = Shared::new(out);
    threads.run(parts.len(), &|at| {
        let part = parts[at].start * columns..parts[at].end * columns;
        // SAFETY: `ranges` do not overlap, and each is passed to one call.
        let out = unsafe { out.part(part.clone()) };
        task(&values[part], out);
    });
}

/// Divides `0..count` into about `parts` ranges of equal size, none empty.
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
    fn ranges_cover_each_number_once() {
        // Miri takes minutes for more.
        let (counts, most_parts) = if cfg!(miri) { (5, 7) } else { (20, 25) };
        for count in 0..counts {
            for parts in 0..most_parts {
                let all: Vec<usize> = ranges(count, parts).into_iter().flatten().collect();
                assert!(all.into_iter().eq(0..count), "{count} in {parts}");
            }
        }
    }
}
