//! Rows that are prefetched while others are multiplied.

use super::super::isa::{Isa, LINE};
use super::DocumentRows;
use super::pack::Packed;

/// Blocks from the rows in use to those that are prefetched.
const BLOCKS: usize = 2;

/// The rows after a block, a few for each of its tiles: all at once, they would be
/// more than a core waits for at a time.
pub(super) struct Ahead {
    next: *const u8,
    /// Bytes for each tile.
    step: usize,
}

impl Ahead {
    /// Those of a block whose rows are so many rows of tiles.
    #[inline(always)]
    pub(super) fn of<I: Isa>(packed: &Packed, block: DocumentRows<'_>, tile_rows: usize) -> Self {
        let size = block.bytes.len();
        let tiles = packed.padded_rows() / I::COLUMNS * tile_rows;
        Self {
            next: block.bytes.as_ptr().wrapping_add(BLOCKS * size),
            step: size.div_ceil(tiles.max(1)),
        }
    }

    #[inline(always)]
    pub(super) fn prefetch<I: Isa>(&mut self) {
        for at in (0..self.step).step_by(LINE * size_of::<f32>()) {
            I::prefetch_read(self.next.wrapping_add(at).cast());
        }
        self.next = self.next.wrapping_add(self.step);
    }
}
