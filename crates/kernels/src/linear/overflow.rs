//! Weights for products that are first summed in 16 bits.
//!
//! Where the weights of several groups could overflow such a sum, the largest are
//! reduced, and the differences are multiplied separately: less than one weight
//! in a thousand in most models.

use super::super::isa::{Isa, Narrow};

/// What was subtracted from one weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Correction {
    /// The weight's row in its block: the quantized value that it multiplies.
    row: u16,
    /// Its column in the panel.
    column: u8,
    amount: i8,
}

/// The corrections of a layer's weights.
#[derive(Clone, Debug, Default)]
pub(super) struct OverflowCorrections {
    /// Block by block.
    all: Vec<Correction>,
    /// Where those of each block end, `[panels, blocks]`.
    ends: Vec<usize>,
}

/// How weights are laid out: panels of blocks of groups, `[groups, columns,
/// group]`.
#[derive(Clone, Copy)]
pub(super) struct PanelLayout {
    /// Weights of a panel.
    pub(super) panel: usize,
    /// Weights of a block; the last of a panel may be smaller.
    pub(super) block: usize,
    /// Columns of a panel.
    pub(super) columns: usize,
    /// Rows of a group.
    pub(super) group: usize,
}

impl PanelLayout {
    /// The offset of a weight in its block.
    fn offset(&self, row: usize, column: usize) -> usize {
        (row / self.group * self.columns + column) * self.group + row % self.group
    }
}

/// Rows of quantized values, in one block of columns.
#[derive(Clone, Copy)]
pub(super) struct QuantizedRows<L> {
    pub(super) first: *const L,
    /// Values from one row to the next.
    pub(super) stride: usize,
    pub(super) count: usize,
}

/// If more than one weight in this many needs a correction, the exact product is
/// faster.
const MIN_WEIGHTS_PER_CORRECTION: usize = 512;

impl OverflowCorrections {
    /// Reduces weights where a 16-bit sum could overflow. Returns `None`, and
    /// leaves the weights as they are, if too many need a correction.
    pub(super) fn split(weights: &mut [i8], layout: PanelLayout, narrow: Narrow) -> Option<Self> {
        let mut corrections = Self::default();
        let limit = weights.len() / MIN_WEIGHTS_PER_CORRECTION;
        let panels = weights.chunks(layout.panel);
        for block in panels.flat_map(|panel| panel.chunks(layout.block)) {
            corrections.split_block(block, layout, narrow);
            corrections.ends.push(corrections.all.len());
            if corrections.all.len() > limit {
                return None;
            }
        }
        let blocks = weights
            .chunks_mut(layout.panel)
            .flat_map(|panel| panel.chunks_mut(layout.block));
        for (at, block) in blocks.enumerate() {
            for correction in corrections.of_block(at) {
                let (row, column) = (correction.row.into(), correction.column.into());
                block[layout.offset(row, column)] -= correction.amount;
            }
        }
        Some(corrections)
    }

    fn split_block(&mut self, block: &[i8], layout: PanelLayout, narrow: Narrow) {
        let PanelLayout { columns, group, .. } = layout;
        let size = narrow.groups * columns * group;
        for (at, groups) in block.chunks(size).enumerate() {
            for column in 0..columns {
                for lane in 0..group / narrow.lane {
                    // Rows whose products are summed in one 16-bit lane.
                    let rows = (0..groups.len() / columns / group).flat_map(|at| {
                        let first = at * group + lane * narrow.lane;
                        first..first + narrow.lane
                    });
                    let weight = |row| groups[layout.offset(row, column)];
                    for sign in [1, -1] {
                        let mut sum: i32 = 0;
                        for row in rows.clone() {
                            // Each weight keeps as much as fits into the sum.
                            let magnitude = (i32::from(weight(row)) * sign).max(0);
                            let excess = (sum + magnitude - narrow.max_sum).max(0);
                            sum += magnitude - excess;
                            if excess > 0 {
                                self.all.push(Correction {
                                    row: (at * narrow.groups * group + row) as u16,
                                    column: column as u8,
                                    amount: (excess * sign) as i8,
                                });
                            }
                        }
                    }
                }
            }
        }
    }

    fn of_block(&self, block: usize) -> &[Correction] {
        let start = match block {
            0 => 0,
            _ => self.ends[block - 1],
        };
        &self.all[start..self.ends[block]]
    }

    /// Adds the products of a block's corrections to the sums of rows.
    ///
    /// # Safety
    /// `rows` has `count` rows, with all columns of the block.
    #[inline(always)]
    pub(super) unsafe fn add<I: Isa>(
        &self,
        block: usize,
        rows: QuantizedRows<I::Quantized>,
        sums: &mut [i32],
    ) {
        for correction in self.of_block(block) {
            let at = usize::from(correction.row);
            let column = usize::from(correction.column);
            for row in 0..rows.count {
                // SAFETY: `split` made corrections for rows of the block alone, and
                // the caller's rows have a value for each of them.
                let value: i32 = unsafe { *rows.first.add(row * rows.stride + at) }.into();
                sums[row * I::COLUMNS + column] += i32::from(correction.amount) * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Narrow = Narrow {
        groups: 2,
        lane: 2,
        max_sum: 258,
    };
    /// A panel of two blocks of three groups.
    const LAYOUT: PanelLayout = PanelLayout {
        panel: 48,
        block: 24,
        columns: 2,
        group: 4,
    };

    /// The sums of each lane's weights of one sign, in a block.
    fn lane_sums(block: &[i8], sign: i32) -> Vec<i32> {
        let magnitude = |at: usize| (i32::from(block[at]) * sign).max(0);
        let sum = |groups: &[usize], column: usize, lane: usize| -> i32 {
            let firsts = groups.iter().map(|group| group * 8 + column * 4 + lane * 2);
            firsts
                .map(|first| magnitude(first) + magnitude(first + 1))
                .sum()
        };
        let lanes = [(0, 0), (0, 1), (1, 0), (1, 1)];
        [&[0, 1][..], &[2]]
            .into_iter()
            .flat_map(|groups| lanes.map(|(column, lane)| sum(groups, column, lane)))
            .collect()
    }

    #[test]
    fn splits_weights_that_could_overflow_16_bits() {
        let mut weights: Vec<i8> = (0..48).map(|at| ((at * 37) % 151 - 75) as i8).collect();
        // Sums of 400 and -259 in two lanes of the second block.
        for (at, weight) in [
            (24, 100),
            (25, 100),
            (32, 100),
            (33, 100),
            (26, -128),
            (27, -127),
            (34, -4),
            (35, 5),
        ] {
            weights[at] = weight;
        }
        let original = weights.clone();
        // Too many corrections for 48 weights, but not for a hundred times as many.
        assert!(OverflowCorrections::split(&mut weights, LAYOUT, NARROW).is_none());
        assert_eq!(weights, original);
        let mut many = original.clone();
        many.resize(48 * 100, 1);
        let original = many.clone();
        let corrections =
            OverflowCorrections::split(&mut many, LAYOUT, NARROW).expect("few enough corrections");
        let found: Vec<_> = corrections
            .of_block(1)
            .iter()
            .map(|correction| (correction.row, correction.column, correction.amount))
            .collect();
        assert_eq!(found, [(4, 0, 42), (5, 0, 100), (6, 0, -1)]);
        for block in many.chunks(24) {
            assert!(
                lane_sums(block, 1)
                    .iter()
                    .chain(&lane_sums(block, -1))
                    .all(|&sum| sum <= NARROW.max_sum)
            );
        }
        for (at, (block, original)) in many.chunks(24).zip(original.chunks(24)).enumerate() {
            let mut restored = block.to_vec();
            for correction in corrections.of_block(at) {
                let row = usize::from(correction.row);
                restored[row / 4 * 8 + usize::from(correction.column) * 4 + row % 4] +=
                    correction.amount;
            }
            assert_eq!(restored, original);
        }
    }
}
