//! Numbers from the start of a line of memory on: a vector that lies in two lines
//! is read twice.

use std::ops::{Deref, DerefMut};

use super::isa;

/// Bytes of a line, as many as the widest vector has.
const LINE: usize = isa::LINE * size_of::<f32>();

/// Numbers that start with a line.
///
/// They are somewhere in a `Vec` with room for that, as allocators take longer
/// for memory that has to start with a line.
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
    /// Makes it so long; what comes to it is of this value.
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

/// A value that starts with a line.
#[repr(align(64))]
pub(super) struct OnLine<T>(pub(super) T);

#[cfg(test)]
mod tests {
    use super::*;

    fn starts_with_a_line(numbers: &[i16]) -> bool {
        numbers.as_ptr().cast::<OnLine<u8>>().is_aligned()
    }

    #[test]
    fn starts_with_a_line_whatever_its_length() {
        for count in [1, 15, 16, 17, 1000, 100_000] {
            let numbers: Vec<i16> = (0..count).map(|at| at as i16).collect();
            let mut aligned: Aligned<i16> = numbers.iter().copied().collect();
            assert_eq!(&*aligned, numbers);
            assert!(starts_with_a_line(&aligned));
            assert!(starts_with_a_line(&aligned.clone()));
            // What was there stays, and nothing comes back.
            aligned.resize(2, 7);
            aligned.resize(200_000, 8);
            let left = numbers.iter().copied().chain([7]).take(2);
            let expected: Vec<i16> = left.chain([8; 199_998]).collect();
            assert_eq!(&*aligned, expected, "{count}");
            assert!(starts_with_a_line(&aligned));
        }
        assert!(Aligned::<f32>::default().is_empty());
    }
}
