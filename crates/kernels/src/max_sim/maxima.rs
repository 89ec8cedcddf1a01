//! The largest products of each document, with all rows of queries.

use std::ops::Range;

use super::super::aligned::Aligned;
use super::super::isa::{Isa, MAX_LANES, Vector};

/// What maxima are of.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    /// For each document the row after its last one.
    pub(super) ends: &'a [usize],
    /// Padded rows of all queries.
    pub(super) width: usize,
}

/// The maxima of the documents in a block, of which the first may have begun
/// before.
#[derive(Default)]
pub(super) struct Maxima {
    /// `[documents, padded query rows]`
    pub(super) values: Aligned<f32>,
    /// `[documents, MAX_LANES]`: NaN if a row is not finite, otherwise 0.
    pub(super) checks: Aligned<f32>,
    /// For each row of the block, which of them it belongs to.
    pub(super) slots: Vec<usize>,
    /// The documents.
    pub(super) documents: Vec<usize>,
}

impl Maxima {
    /// Lists the documents of `rows`; the first is `open`. Keeps the first maxima
    /// if that document has begun before.
    #[inline(always)]
    pub(super) fn start(&mut self, rows: Range<usize>, open: usize, of: Of<'_>) {
        let Of { ends, width } = of;
        let begun = match open.checked_sub(1).map(|before| ends[before]) {
            Some(start) => start < rows.start,
            None => rows.start > 0,
        };
        self.slots.clear();
        self.documents.clear();
        let (mut at, mut document) = (rows.start, open);
        while at < rows.end {
            let end = ends[document].min(rows.end);
            if end > at {
                self.slots.extend((at..end).map(|_| self.documents.len()));
                self.documents.push(document);
                at = end;
            }
            document += 1;
        }
        let count = self.documents.len();
        self.values.resize(count * width, 0.);
        self.checks.resize(count * MAX_LANES, 0.);
        let kept = usize::from(begun);
        self.values[kept * width..].fill(f32::NEG_INFINITY);
        self.checks[kept * MAX_LANES..].fill(0.);
    }

    /// Folds the rows of a tile into the maxima of a panel; `value` is a vector of
    /// products of a row of the tile. `check` is not finite if the row is not; it is
    /// asked for the first panel alone, since such a row has no finite product.
    #[inline(always)]
    pub(super) fn fold<I: Isa>(
        &mut self,
        isa: I,
        tile: Tile,
        value: impl Fn(usize, usize) -> I::Vector,
        check: impl Fn(usize) -> I::Vector,
    ) {
        let Tile { rows, panel, width } = tile;
        let slots = &self.slots[rows.clone()];
        let mut at = 0;
        while at < slots.len() {
            let slot = slots[at];
            let run = match slots.last() {
                Some(last) if *last == slot => slots.len() - at,
                _ => slots[at..].iter().take_while(|&&next| next == slot).count(),
            };
            let first = slot * width + panel * I::COLUMNS;
            let maxima = &mut self.values[first..first + I::COLUMNS];
            // SAFETY: both slices have whole vectors.
            unsafe {
                for vector in 0..I::COLUMNS / I::Vector::LANES {
                    let place = maxima.as_mut_ptr().add(vector * I::Vector::LANES);
                    let mut most = isa.load(place);
                    for row in at..at + run {
                        most = value(row, vector).max(most);
                    }
                    most.store(place);
                }
                if panel == 0 {
                    let zero = isa.splat(0.);
                    let place = &mut self.checks[slot * MAX_LANES..(slot + 1) * MAX_LANES];
                    let mut checked = isa.load(place.as_ptr());
                    for row in at..at + run {
                        checked = check(row).mul_add(zero, checked);
                    }
                    checked.store(place.as_mut_ptr());
                }
            }
            at += run;
        }
    }
}

/// The rows of a tile in their block, and the panel they are multiplied with.
pub(super) struct Tile {
    pub(super) rows: Range<usize>,
    pub(super) panel: usize,
    /// Padded rows of all queries.
    pub(super) width: usize,
}
