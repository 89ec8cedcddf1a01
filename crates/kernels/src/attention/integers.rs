//! Attention with 8-bit products, for models whose layers have 8 bits.
//!
//! Queries and keys have a scale each, values one for each column, and weights one
//! for each block of keys. All are of one text, so that its vectors do not depend
//! on the other texts of a batch.

use super::super::aligned::Aligned;
use super::super::isa::{Isa, MAX_LANES, MAX_TILE, Strided, Vector};
use super::Sight;
use super::blocks::{
    BLOCK, PanelSums, PanelValues, RowState, Tile, blocks, combine, softmax, sum_columns,
};
use super::head::{Group, Head, ROWS, RowBlock};
use super::one_block::OneBlock;
use super::quantize::{QuantizedHead, query_offset};
use super::rows::StridedRows;
use super::softmax::{mask_scores, maximum};

/// Buffers, reused from head to head.
#[derive(Default)]
pub(super) struct Workspace<W, L> {
    quantized: QuantizedHead,
    /// Which keys and values are unpacked, and their keys summed.
    group: Option<Group>,
    /// Keys and values as products read them, if not as they are stored.
    unpacked: [Vec<W>; 2],
    /// A 1 for each column of queries.
    ones: Aligned<L>,
    /// The sum of each key, for the zero point of queries; empty if that is
    /// subtracted from quantized values.
    key_sums: Aligned<i32>,
    /// `[ROWS, tokens]`
    scores: Aligned<f32>,
    /// `[ROWS, BLOCK]`
    weights: Aligned<L>,
    /// `[ROWS, columns]`, padded to panels.
    sums: Aligned<f32>,
    /// Those of a [`Tile`].
    tiles: [Aligned<i32>; 2],
}

/// Keys as products read them, and their sums.
struct KeyPanels<'a, W> {
    quantized: &'a QuantizedHead,
    keys: &'a [W],
    key_sums: &'a [i32],
}

impl Head<'_> {
    /// Computes this head, while prefetching `next`. Returns `false`, and writes
    /// nothing, if a value is not finite: such heads are computed in floats.
    #[inline(always)]
    pub(super) fn attend_in_8_bits<I: Isa>(
        &self,
        isa: I,
        next: Option<&Self>,
        workspace: &mut Workspace<I::Weight, I::Quantized>,
    ) -> bool {
        let length = self.batch.length;
        if !workspace.quantized.load(isa, self) {
            return false;
        }
        let tokens = self.key_count.next_multiple_of(I::COLUMNS);
        let columns = self.attention.columns.next_multiple_of(I::COLUMNS);
        workspace.reserve::<I>(tokens, columns);
        let Workspace {
            quantized,
            group,
            unpacked: [keys, values],
            ones,
            key_sums,
            scores,
            weights,
            sums,
            tiles: [products, value_sums],
        } = workspace;
        let mut tile = Tile {
            products,
            value_sums,
        };
        let is_unpacked = *group == Some(self.group());
        *group = Some(self.group());
        let keys = unpack(isa, &quantized.keys, keys, is_unpacked);
        let values = unpack(isa, &quantized.values, values, is_unpacked);
        let weights = weights.as_mut_ptr();
        if !is_unpacked {
            // Empty if no sums are needed.
            let panels = keys.chunks_exact((quantized.width * I::COLUMNS).max(1));
            for (keys, sums) in panels.zip(key_sums.chunks_exact_mut(I::COLUMNS)) {
                sum_columns(isa, ones, keys, sums);
            }
        }
        let keys = KeyPanels {
            quantized,
            keys,
            key_sums,
        };
        for first in (0..length).step_by(ROWS) {
            if let Some(next) = next {
                next.prefetch::<I>(first..first + ROWS);
            }
            let row_block = self.row_block::<I>(first);
            let RowBlock { rows, visible } = &row_block;
            let padded = visible.len().next_multiple_of(I::COLUMNS);
            self.score_in_8_bits(isa, &keys, &row_block, tile.products, scores);
            if self.batch.bias.is_some() {
                for (at, row) in rows.clone().enumerate() {
                    self.add_bias(row, visible, &mut scores[at * tokens + visible.start..]);
                }
            }
            if self.attention.sight != Sight::default() {
                for (at, row) in rows.clone().enumerate() {
                    let scores = &mut scores[at * tokens..][visible.start..][..padded];
                    mask_scores(scores, self.visible_to(row, visible), None);
                }
            }
            let is_one_block = padded <= BLOCK && columns == self.attention.columns;
            // Left out of the modules for browsers, to keep them small.
            if is_one_block && !cfg!(target_family = "wasm") {
                let block = OneBlock {
                    head: self,
                    block: &row_block,
                    scores: StridedRows {
                        data: &scores[visible.start..],
                        stride: tokens,
                    },
                    values: &values[visible.start * I::COLUMNS..],
                    panel_rows: quantized.tokens,
                    scales: &quantized.value_scales,
                };
                // SAFETY: `reserve` made room for the weights.
                unsafe { block.finish(isa, weights, &mut tile) };
                continue;
            }
            let mut states = [RowState::default(); ROWS];
            for (which, block) in blocks::<I>(visible).enumerate() {
                let scores_of = |at: usize| &scores[at * tokens..][block.clone()];
                // Each step in a loop over all rows, which do not wait for each other.
                let mut maxima = [0f32; ROWS];
                for (at, max) in maxima.iter_mut().enumerate().take(rows.len()) {
                    *max = maximum(isa, scores_of(at));
                }
                let mut totals = [isa.splat(0.); ROWS];
                for (at, total) in totals.iter_mut().enumerate().take(rows.len()) {
                    // SAFETY: `reserve` made room for `ROWS` rows of `BLOCK` weights,
                    // and four vectors. Those that a row writes too many, the next one
                    // overwrites.
                    *total =
                        unsafe { softmax(isa, scores_of(at), maxima[at], weights.add(at * BLOCK)) };
                }
                for (at, state) in states.iter_mut().enumerate().take(rows.len()) {
                    state.add(maxima[at], totals[at].sum());
                }
                for first in (0..columns).step_by(I::COLUMNS) {
                    let start = first * tokens + block.start * I::COLUMNS;
                    let panel = PanelValues {
                        values: &values[start..start + block.len() * I::COLUMNS],
                        scales: &quantized.value_scales[first..first + I::COLUMNS],
                    };
                    let to = PanelSums {
                        tile: &mut tile,
                        sums: &mut sums[first..],
                        stride: columns,
                        is_first: which == 0,
                    };
                    // SAFETY: the loop above wrote a block of weights for each row.
                    unsafe { combine(isa, weights, &states[..rows.len()], panel, to) };
                }
            }
            let totals = states.map(|state| state.total());
            for panel in 0..columns / I::COLUMNS {
                let sums = StridedRows {
                    data: &sums[panel * I::COLUMNS..],
                    stride: columns,
                };
                self.write_panel(isa, rows.clone(), panel, &totals, sums);
            }
        }
        true
    }

    /// Computes `queries . keys` into `[ROWS, tokens]`, with `sums` as scratch space.
    #[inline(always)]
    fn score_in_8_bits<I: Isa>(
        &self,
        isa: I,
        panels: &KeyPanels<'_, I::Weight>,
        block: &RowBlock,
        sums: &mut [i32],
        scores: &mut [f32],
    ) {
        let RowBlock { rows, visible } = block;
        let quantized = panels.quantized;
        let tokens = self.key_count.next_multiple_of(I::COLUMNS);
        let width = quantized.width;
        let queries = quantized.queries::<I>();
        let zero_point = query_offset::<I>();
        assert!(sums.len() >= MAX_TILE, "room for a tile");
        for panel in visible.start / I::COLUMNS..visible.end.div_ceil(I::COLUMNS) {
            let first = panel * I::COLUMNS;
            let keys = &panels.keys[first * width..][..I::COLUMNS * width];
            let scales = &quantized.key_scales[first..first + I::COLUMNS];
            let bias = &quantized.key_bias[first..first + I::COLUMNS];
            let key_sums = panels.key_sums.get(first..first + I::COLUMNS);
            for row in rows.clone().step_by(I::ROWS) {
                let count = (rows.end - row).min(I::ROWS);
                // SAFETY: `QuantizedHead` holds `length` queries of `width` values, and
                // `keys` is a whole panel; the assertion leaves room for a tile.
                unsafe {
                    let (queries, keys) = (queries.add(row * width), keys.as_ptr());
                    let groups = width / I::GROUP;
                    isa.multiply_queries(
                        count,
                        Strided {
                            first: queries,
                            stride: width,
                        },
                        keys,
                        groups,
                        sums.as_mut_ptr(),
                    );
                }
                let start = (row - rows.start) * tokens + first;
                let out = &mut scores[start..][..(count - 1) * tokens + I::COLUMNS];
                let factors = &quantized.query_scales[row..row + count];
                for (at, factor) in factors.iter().enumerate() {
                    let factor = isa.splat(*factor);
                    for column in (0..I::COLUMNS).step_by(I::Vector::LANES) {
                        // SAFETY: rows of sums and `out`, scales, bias and sums of keys
                        // all have `COLUMNS` values here, which are whole vectors.
                        unsafe {
                            let sums = sums.as_ptr().add(at * I::COLUMNS + column);
                            let sum = match key_sums {
                                None => isa.load_integers(sums),
                                Some(key_sums) => {
                                    let key_sums = key_sums.as_ptr().add(column);
                                    isa.load_integers_less(sums, zero_point, key_sums)
                                }
                            };
                            let scale = isa.load(scales.as_ptr().add(column));
                            let bias = isa.load(bias.as_ptr().add(column));
                            let out = out.as_mut_ptr().add(at * tokens + column);
                            sum.mul_add(scale.mul(factor), bias).store(out);
                        }
                    }
                }
            }
        }
    }
}

/// A panel as products read it; `scratch` may hold it already.
#[inline(always)]
fn unpack<'a, I: Isa>(
    isa: I,
    panel: &'a [i8],
    scratch: &'a mut Vec<I::Weight>,
    is_unpacked: bool,
) -> &'a [I::Weight] {
    // Where nothing has to be widened, it stays empty.
    if is_unpacked && !scratch.is_empty() {
        scratch
    } else {
        isa.widen(panel, scratch)
    }
}

impl<W: Copy + Default, L: Copy + Default> Workspace<W, L> {
    /// Makes room for `tokens` keys and `columns` of values, both whole panels.
    #[inline(always)]
    fn reserve<I: Isa<Weight = W, Quantized = L>>(&mut self, tokens: usize, columns: usize) {
        self.ones.resize(self.quantized.width, I::ONE);
        let key_sums = if query_offset::<I>() == 0 { 0 } else { tokens };
        self.key_sums.resize(key_sums, 0);
        self.scores.resize(ROWS * tokens, 0.);
        // `softmax` writes four vectors at a time, beyond the last row's end.
        let size = ROWS * BLOCK + 4 * MAX_LANES;
        self.weights.resize(size, L::default());
        self.sums.resize(ROWS * columns, 0.);
        for tile in &mut self.tiles {
            tile.resize(MAX_TILE, 0);
        }
    }
}
