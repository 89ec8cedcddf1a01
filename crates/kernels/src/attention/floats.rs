//! Attention of one head in floats.

use super::super::aligned::{Aligned, OnLine};
use super::super::isa::{Isa, MAX_TILE, Strided};
use super::bias::cap_scores;
use super::head::{Head, ROWS, RowBlock};
use super::load::PackedHead;
use super::rows::StridedRows;
use super::softmax::softmax;

impl Head<'_> {
    #[inline(always)]
    pub(super) fn attend<I: Isa>(
        &self,
        isa: I,
        packed: &mut PackedHead,
        scores: &mut Aligned<f32>,
    ) {
        let length = self.batch.length;
        packed.load(isa, self);
        let (packed, queries) = (&*packed, packed.queries(self));
        let stride = self.key_count.next_multiple_of(I::COLUMNS);
        scores.resize(ROWS.min(length) * stride, 0.);
        for first in (0..length).step_by(ROWS) {
            let block = self.row_block::<I>(first);
            let visible = &block.visible;
            self.score(isa, &queries, &packed.keys, &block, scores);
            let mut sums = [0f32; ROWS];
            for (at, sum) in sums.iter_mut().enumerate().take(block.rows.len()) {
                let scores = &mut scores[at * stride..][visible.start..];
                let scores = &mut scores[..visible.len().next_multiple_of(I::COLUMNS)];
                if let Some(cap) = self.attention.softcap {
                    cap_scores(isa, scores, cap);
                }
                self.add_bias(first + at, visible, scores);
                let mask = self.mask.map(|mask| &mask[visible.clone()]);
                *sum = softmax(isa, scores, self.visible_to(first + at, visible), mask);
            }
            self.combine(isa, scores, &packed.values, &block, &sums);
        }
    }

    /// Computes `queries . keys` into `[ROWS, keys]`.
    #[inline(always)]
    fn score<I: Isa>(
        &self,
        isa: I,
        queries: &StridedRows<'_>,
        keys: &[f32],
        block: &RowBlock,
        scores: &mut [f32],
    ) {
        let RowBlock { rows, visible } = block;
        let columns = self.attention.columns;
        let stride = self.key_count.next_multiple_of(I::COLUMNS);
        for panel in visible.start / I::COLUMNS..visible.end.div_ceil(I::COLUMNS) {
            let keys = &keys[panel * columns * I::COLUMNS..][..columns * I::COLUMNS];
            for row in rows.clone().step_by(I::ROWS) {
                let count = (rows.end - row).min(I::ROWS);
                let left = &queries.data[row * queries.stride..];
                let out = &mut scores[(row - rows.start) * stride + panel * I::COLUMNS..];
                assert!(left.len() >= (count - 1) * queries.stride + columns);
                assert!(out.len() >= (count - 1) * stride + I::COLUMNS);
                // SAFETY: the assertions leave `count` rows of queries and scores, and
                // `keys` is a whole panel.
                unsafe {
                    let (left, panel, out) = (left.as_ptr(), keys.as_ptr(), out.as_mut_ptr());
                    isa.multiply_floats(
                        count,
                        Strided {
                            first: left,
                            stride: queries.stride,
                        },
                        panel,
                        columns,
                        Strided { first: out, stride },
                    );
                }
            }
        }
    }

    /// Writes `weights . values / sums`.
    #[inline(always)]
    fn combine<I: Isa>(
        &self,
        isa: I,
        weights: &[f32],
        values: &[f32],
        block: &RowBlock,
        sums: &[f32; ROWS],
    ) {
        let RowBlock { rows, visible } = block;
        let stride = self.key_count.next_multiple_of(I::COLUMNS);
        let OnLine(tile) = &mut OnLine([0f32; MAX_TILE]);
        for panel in 0..self.attention.columns.div_ceil(I::COLUMNS) {
            let size = self.key_count * I::COLUMNS;
            let values = &values[panel * size..(panel + 1) * size][visible.start * I::COLUMNS..];
            for row in (0..rows.len()).step_by(I::ROWS) {
                let (count, depth) = ((rows.len() - row).min(I::ROWS), visible.len());
                let weights = &weights[(row * stride + visible.start).min(weights.len())..];
                assert!(depth == 0 || weights.len() >= (count - 1) * stride + depth);
                assert!(values.len() >= depth * I::COLUMNS);
                // SAFETY: the assertions leave `count` rows of `depth` weights and
                // `depth` rows of a panel; no instruction set's tile is larger than
                // `MAX_TILE`.
                unsafe {
                    let (left, panel) = (weights.as_ptr(), values.as_ptr());
                    let out = tile.as_mut_ptr();
                    isa.multiply_floats(
                        count,
                        Strided {
                            first: left,
                            stride,
                        },
                        panel,
                        depth,
                        Strided {
                            first: out,
                            stride: I::COLUMNS,
                        },
                    );
                }
                let rows = rows.start + row..rows.start + row + count;
                let tile = StridedRows {
                    data: &*tile,
                    stride: I::COLUMNS,
                };
                self.write_panel(isa, rows, panel, &sums[row..], tile);
            }
        }
    }
}
