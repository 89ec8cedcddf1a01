//! Buffers that start at a cache line: loading a vector that spans two lines takes
//! two reads.

use std::ops::{Deref, DerefMut};

use super::isa;

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = isa::LINE * size_of::<f32>();

/// A growable buffer that starts at a cache line.
///
/// The elements are inside of a longer `Vec`, since allocators take longer for
/// aligned memory.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    places: Vec<T>,
    first: usize,
    count: usize,
}

impl<T> Aligned<T> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            first: 0,
            count: 0,
        }
    }
}

impl<T: Copy> Aligned<T> {
    /// Resizes to `count`, filling new elements with `value`.
    #[inline(always)]
    pub(super) fn resize(&mut self, count: usize, value: T) {
        if count != self.count {
            self.change(count, value);
        }
    }

    #[inline(never)]
    fn change(&mut self, count: usize, value: T) {
        let kept = self.first..self.first + self.count.min(count);
        let spare = LINE / size_of::<T>();
        self.places.resize(count.max(kept.end) + spare, value);
        let first = self.places.as_ptr().align_offset(LINE).min(spare);
        let end = first + kept.len();
        self.places.copy_within(kept, first);
        self.places[end..first + count].fill(value);
        (self.first, self.count) = (first, count);
    }
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.places[self.first..self.first + self.count]
    }
}

impl<T> DerefMut for Aligned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.places[self.first..self.first + self.count]
    }
}

impl<T: Copy> From<&[T]> for Aligned<T> {
    fn from(numbers: &[T]) -> Self {
        let mut aligned = Self::new();
        if let Some(&first) = numbers.first() {
            aligned.resize(numbers.len(), first);
        }
        aligned.copy_from_slice(numbers);
        aligned
    }
}

impl<T: Copy> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        (&**self).into()
    }
}

impl<T: Copy> FromIterator<T> for Aligned<T> {
    fn from_iter<I: IntoIterator<Item = T>>(numbers: I) -> Self {
        let numbers: Vec<T> = numbers.into_iter().collect();
        numbers.as_slice().into()
    }
}

/// A value that starts at a cache line.
#[repr(align(64))]
pub(super) struct OnLine<T>(pub(super) T);

#[cfg(test)]
mod tests {
    use super::*;

    fn starts_at_a_line(numbers: &[i16]) -> bool {
        numbers.as_ptr().cast::<OnLine<u8>>().is_aligned()
    }

    #[test]
    fn starts_at_a_line_whatever_its_length() {
        // Miri takes minutes for more.
        let long = if cfg!(miri) { 200 } else { 100_000 };
        for count in [1, 15, 16, 17, long / 100, long] {
            let numbers: Vec<i16> = (0..count).map(|at| at as i16).collect();
            let mut aligned: Aligned<i16> = numbers.iter().copied().collect();
            assert_eq!(&*aligned, numbers);
            assert!(starts_at_a_line(&aligned));
            assert!(starts_at_a_line(&aligned.clone()));
            // Shrinking drops elements, which growing does not bring back.
            aligned.resize(2, 7);
            aligned.resize(2 * long, 8);
            let left = numbers.iter().copied().chain([7]).take(2);
            let expected: Vec<i16> = left.chain(vec![8; 2 * long - 2]).collect();
            assert_eq!(&*aligned, expected, "{count}");
            assert!(starts_at_a_line(&aligned));
        }
        assert!(Aligned::<f32>::default().is_empty());
    }
}
