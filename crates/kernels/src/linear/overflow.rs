//! Weights whose products are first summed in 16 bits.
//!
//! Where weights of several groups could bring such a sum beyond 16 bits, the
//! largest are made smaller, and what is left of them is multiplied apart. Of
//! a thousand weights that is less than one in most models.

use super::super::isa::{Isa, Narrow};

/// What is left of one weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    /// Which level of the block it multiplies.
    level: u16,
    /// Which column of the panel it is in.
    column: u8,
    amount: i8,
}

/// What is left of the weights of a layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Rests {
    /// Block by block.
    all: Vec<Rest>,
    /// Where those of each block of each panel end: `[panels, blocks]`.
    ends: Vec<usize>,
}

/// With more rests than one in so many weights, nothing is gained.
const MOST: usize = 512;

/// Where the weight of a level and a column is in groups of so many columns.
fn place(level: usize, column: usize, (columns, group): (usize, usize)) -> usize {
    (level / group * columns + column) * group + level % group
}

impl Rests {
    /// Makes weights smaller where that is needed: panels of whole groups, in
    /// blocks of so many weights. `None`, and nothing done, where there would be
    /// too many rests.
    pub(super) fn split(
        weights: &mut [i8],
        (panel, block): (usize, usize),
        (columns, group): (usize, usize),
        narrow: Narrow,
    ) -> Option<Self> {
        let mut rests = Self::default();
        let most = weights.len() / MOST;
        let panels = weights.chunks(panel);
        for block in panels.flat_map(|panel| panel.chunks(block)) {
            rests.of_block(block, (columns, group), narrow);
            rests.ends.push(rests.all.len());
            if rests.all.len() > most {
                return None;
            }
        }
        let blocks = weights
            .chunks_mut(panel)
            .flat_map(|panel| panel.chunks_mut(block));
        for (at, block) in blocks.enumerate() {
            for rest in rests.of(at) {
                let (level, column) = (rest.level.into(), rest.column.into());
                block[place(level, column, (columns, group))] -= rest.amount;
            }
        }
        Some(rests)
    }

    fn of_block(&mut self, block: &[i8], (columns, group): (usize, usize), narrow: Narrow) {
        let size = narrow.groups * columns * group;
        for (at, groups) in block.chunks(size).enumerate() {
            for column in 0..columns {
                for lane in 0..group / narrow.lane {
                    // Levels that are summed in one lane.
                    let levels = (0..groups.len() / columns / group).flat_map(|at| {
                        let first = at * group + lane * narrow.lane;
                        first..first + narrow.lane
                    });
                    let weight = |level| groups[place(level, column, (columns, group))];
                    for sign in [1, -1] {
                        let mut sum: i32 = 0;
                        for level in levels.clone() {
                            // As much of each as there is room for.
                            let size = (i32::from(weight(level)) * sign).max(0);
                            let beyond = (sum + size - narrow.most).max(0);
                            sum += size - beyond;
                            if beyond > 0 {
                                self.all.push(Rest {
                                    level: (at * narrow.groups * group + level) as u16,
                                    column: column as u8,
                                    amount: (beyond * sign) as i8,
                                });
                            }
                        }
                    }
                }
            }
        }
    }

    fn of(&self, block: usize) -> &[Rest] {
        let start = match block {
            0 => 0,
            _ => self.ends[block - 1],
        };
        &self.all[start..self.ends[block]]
    }

    /// Adds what rests of a block come to, to sums of rows.
    ///
    /// # Safety
    /// There are levels of the block in each row, so many from row to row.
    #[inline(always)]
    pub(super) unsafe fn add<I: Isa>(
        &self,
        block: usize,
        (levels, stride): (*const I::Level, usize),
        rows: usize,
        sums: &mut [i32],
    ) {
        for rest in self.of(block) {
            let (level, column) = (usize::from(rest.level), usize::from(rest.column));
            for row in 0..rows {
                // SAFETY: the caller's; the block has this level.
                let level: i32 = unsafe { *levels.add(row * stride + level) }.into();
                sums[row * I::COLUMNS + column] += i32::from(rest.amount) * level;
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
        most: 258,
    };
    /// One panel of two columns, groups of four, in blocks of three groups.
    const SHAPE: ((usize, usize), (usize, usize)) = ((48, 24), (2, 4));

    fn sums(block: &[i8], sign: i32) -> Vec<i32> {
        let positive = |at: usize| (i32::from(block[at]) * sign).max(0);
        let of = |groups: &[usize], column: usize, lane: usize| -> i32 {
            let firsts = groups.iter().map(|group| group * 8 + column * 4 + lane * 2);
            firsts
                .map(|first| positive(first) + positive(first + 1))
                .sum()
        };
        let lanes = [(0, 0), (0, 1), (1, 0), (1, 1)];
        [&[0, 1][..], &[2]]
            .into_iter()
            .flat_map(|groups| lanes.map(|(column, lane)| of(groups, column, lane)))
            .collect()
    }

    #[test]
    fn splits_what_is_beyond_16_bits() {
        let mut weights: Vec<i8> = (0..48).map(|at| ((at * 37) % 151 - 75) as i8).collect();
        // 4 x 100 in one lane, of either sign, in the second block.
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
        let given = weights.clone();
        // Too many rests for so few weights, not for a hundred times as many.
        assert!(Rests::split(&mut weights, SHAPE.0, SHAPE.1, NARROW).is_none());
        assert_eq!(weights, given);
        let mut many = given.clone();
        many.resize(48 * 100, 1);
        let given = many.clone();
        let rests = Rests::split(&mut many, SHAPE.0, SHAPE.1, NARROW).expect("few rests");
        let found: Vec<_> = rests
            .of(1)
            .iter()
            .map(|rest| (rest.level, rest.column, rest.amount))
            .collect();
        assert_eq!(found, [(4, 0, 42), (5, 0, 100), (6, 0, -1)]);
        for block in many.chunks(24) {
            assert!(
                sums(block, 1)
                    .iter()
                    .chain(&sums(block, -1))
                    .all(|&sum| sum <= 258)
            );
        }
        for (at, (block, given)) in many.chunks(24).zip(given.chunks(24)).enumerate() {
            let mut whole = block.to_vec();
            for rest in rests.of(at) {
                let level = usize::from(rest.level);
                whole[level / 4 * 8 + usize::from(rest.column) * 4 + level % 4] += rest.amount;
            }
            assert_eq!(whole, given);
        }
    }
}
