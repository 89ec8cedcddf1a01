//! Weights for products that are first summed in 16 bits.
//!
//! Where the weights of several groups could overflow such a sum, the largest are
//! reduced, and the differences are multiplied separately: less than one weight
//! in a thousand in most models.

use super::super::isa::{Candidate, Isa, MAX_TILE, Narrow};

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
#[derive(Clone, Debug)]
pub(super) struct OverflowCorrections {
    /// The largest quantized value for which sums do not overflow.
    largest: i32,
    /// What products subtract from quantized values.
    middle: i32,
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
    /// What products subtracted from the values.
    pub(super) subtracted: i32,
}

/// Bounds of the weights whose products are summed in one lane of 16 bits.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Groups in which weights of one sign are bounded together.
    groups: usize,
    /// The largest sum of the weights of one sign in these groups.
    one_sign: i32,
    /// The largest sum of magnitudes in all groups.
    magnitudes: i32,
}

impl Bounds {
    fn new(narrow: Narrow, largest: i32) -> Self {
        let max = i32::from(i16::MAX);
        if narrow.is_centred {
            Self {
                groups: 1,
                one_sign: max / largest,
                magnitudes: max / middle(largest),
            }
        } else {
            Self {
                groups: narrow.groups,
                one_sign: max / largest,
                magnitudes: i32::MAX,
            }
        }
    }
}

/// The middle of `0..=largest`.
fn middle(largest: i32) -> i32 {
    (largest + 1) / 2
}

/// Weights are alike in all panels, so that a range that does not fit is found by
/// looking at some of them.
const SAMPLED_PANELS: usize = 4;
/// How far a sample may exceed the limit.
const SAMPLE_TOLERANCE: usize = 16;

impl OverflowCorrections {
    /// Reduces weights where a 16-bit sum could overflow, for the largest range of
    /// quantized values with few enough corrections. Returns `None`, and leaves the
    /// weights as they are, if there is none: the exact product is faster then.
    pub(super) fn split(weights: &mut [i8], layout: PanelLayout, narrow: Narrow) -> Option<Self> {
        let panels = weights.len().div_ceil(layout.panel);
        let step = panels.div_ceil(SAMPLED_PANELS).max(1);
        let corrections = narrow.candidates.iter().find_map(|&candidate| {
            Self::find(weights, step, layout, (narrow, candidate))?;
            Self::find(weights, 1, layout, (narrow, candidate))
        })?;
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

    /// The largest quantized value of the layer.
    #[inline(always)]
    pub(super) fn largest(&self) -> i32 {
        self.largest
    }

    /// What products subtract from quantized values.
    #[inline(always)]
    pub(super) fn middle(&self) -> i32 {
        self.middle
    }

    /// The corrections of every `step`th panel, `None` if there are too many.
    fn find(
        weights: &[i8],
        step: usize,
        layout: PanelLayout,
        (narrow, candidate): (Narrow, Candidate),
    ) -> Option<Self> {
        let mut corrections = Self {
            largest: candidate.largest,
            middle: if narrow.is_centred {
                middle(candidate.largest)
            } else {
                0
            },
            all: Vec::new(),
            ends: Vec::new(),
        };
        let bounds = Bounds::new(narrow, candidate.largest);
        let panels = weights.chunks(layout.panel).step_by(step);
        let limit = panels.len() * layout.panel / candidate.weights_per_correction;
        let tolerance = if step > 1 { SAMPLE_TOLERANCE } else { 0 };
        for block in panels.flat_map(|panel| panel.chunks(layout.block)) {
            corrections.split_block(block, layout, narrow, bounds);
            corrections.ends.push(corrections.all.len());
            if corrections.all.len() > limit + tolerance {
                return None;
            }
        }
        Some(corrections)
    }

    fn split_block(&mut self, block: &[i8], layout: PanelLayout, narrow: Narrow, bounds: Bounds) {
        let PanelLayout { columns, group, .. } = layout;
        let (size, lane) = (columns * group, narrow.lane);
        for (at, groups) in block.chunks(narrow.groups * size).enumerate() {
            let first_row = at * narrow.groups * group;
            let count = groups.len() / size;
            // Offsets of the weights of a lane in its group.
            for first in (0..size).step_by(lane) {
                let mut sums = LaneSums::default();
                for which in 0..count {
                    if which % bounds.groups == 0 {
                        sums.one_sign = [0; 2];
                    }
                    let weights = &groups[which * size + first..][..lane];
                    for (next, &weight) in weights.iter().enumerate() {
                        let excess = sums.add(weight.into(), bounds);
                        if excess != 0 {
                            let row = first_row + which * group + first % group + next;
                            self.all.push(Correction {
                                row: row as u16,
                                column: (first / group) as u8,
                                amount: excess as i8,
                            });
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
    /// `rows` has `count` rows, with all columns of the block, and at most those of a
    /// tile.
    #[inline(always)]
    pub(super) unsafe fn add<I: Isa>(
        &self,
        block: usize,
        rows: QuantizedRows<I::Quantized>,
        sums: &mut [i32; MAX_TILE],
    ) {
        for correction in self.of_block(block) {
            let at = usize::from(correction.row);
            let column = usize::from(correction.column);
            let amount = i32::from(correction.amount);
            for row in 0..rows.count {
                // SAFETY: `split` made corrections for rows and columns of the block
                // alone; the caller's rows have a value and a sum for each.
                unsafe {
                    let value: i32 = (*rows.first.add(row * rows.stride + at)).into();
                    *sums.get_unchecked_mut(row * I::COLUMNS + column) +=
                        amount * (value - rows.subtracted);
                }
            }
        }
    }
}

/// Sums of the weights of a lane.
#[derive(Default)]
struct LaneSums {
    /// Of magnitudes, positive and negative.
    one_sign: [i32; 2],
    magnitudes: i32,
}

impl LaneSums {
    /// Adds as much of a weight as fits. Returns the rest.
    #[inline(always)]
    fn add(&mut self, weight: i32, bounds: Bounds) -> i32 {
        let of_sign = &mut self.one_sign[usize::from(weight < 0)];
        let room = (bounds.one_sign - *of_sign).min(bounds.magnitudes - self.magnitudes);
        let kept = weight.abs().min(room);
        *of_sign += kept;
        self.magnitudes += kept;
        weight - kept * weight.signum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Narrow = Narrow {
        groups: 2,
        lane: 2,
        is_centred: false,
        min_row: 0,
        candidates: &[Candidate {
            largest: 127,
            weights_per_correction: 512,
        }],
    };
    const MAX_SUM: i32 = 258;
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
                    .all(|&sum| sum <= MAX_SUM)
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
    /// With the middle of the range subtracted, pairs are bounded by their sums, and
    /// groups by their magnitudes.
    #[test]
    fn weights_of_centred_products_cannot_overflow() {
        const LARGEST: [i32; 3] = [223, 159, 127];
        const CENTRED: Narrow = Narrow {
            groups: 3,
            lane: 2,
            is_centred: true,
            min_row: 0,
            candidates: &[
                Candidate {
                    largest: LARGEST[0],
                    weights_per_correction: 1 << 20,
                },
                Candidate {
                    largest: LARGEST[1],
                    weights_per_correction: 4,
                },
                Candidate {
                    largest: LARGEST[2],
                    weights_per_correction: 4,
                },
            ],
        };
        let layout = PanelLayout {
            panel: 7 * 8,
            block: 4 * 8,
            ..LAYOUT
        };
        let original: Vec<i8> = (0..5 * layout.panel)
            .map(|at| ((at * 17) % 256) as u8 as i8 / if at % 5 < 3 { 1 } else { 3 })
            .collect();
        let mut weights = original.clone();
        let corrections =
            OverflowCorrections::split(&mut weights, layout, CENTRED).expect("few enough");
        assert_eq!(corrections.largest(), LARGEST[1]);
        let middle = corrections.middle();
        assert!(!corrections.all.is_empty() && middle == 80);
        let max = i32::from(i16::MAX);
        let panels = weights
            .chunks(layout.panel)
            .flat_map(|one| one.chunks(layout.block));
        let originals = original
            .chunks(layout.panel)
            .flat_map(|one| one.chunks(layout.block));
        for (at, (block, original)) in panels.zip(originals).enumerate() {
            let mut restored = block.to_vec();
            for correction in corrections.of_block(at) {
                let offset = layout.offset(correction.row.into(), correction.column.into());
                restored[offset] += correction.amount;
            }
            assert_eq!(restored, original);
            for groups in block.chunks(3 * 8) {
                for lane in 0..4 {
                    let pairs = groups
                        .chunks(8)
                        .map(|group| [0, 1].map(|at| i32::from(group[2 * lane + at])));
                    let mut magnitudes = 0;
                    for pair in pairs {
                        magnitudes += pair[0].abs() + pair[1].abs();
                        // The instruction's own sum, with the values that make it
                        // largest.
                        for sign in [1, -1] {
                            let sum: i32 = pair.iter().map(|one| (one * sign).max(0)).sum();
                            assert!(sum * LARGEST[1] <= max);
                        }
                    }
                    assert!(magnitudes * middle <= max);
                }
            }
        }
    }
}
