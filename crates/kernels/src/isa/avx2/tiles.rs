//! Products of tiles whose sums are in registers.

use std::arch::x86_64::*;

use super::Strided;

/// Most rows of such a tile.
pub(super) const ROWS: usize = 6;
/// Columns of a tile.
pub(super) const COLUMNS: usize = 16;
/// Vectors of them.
pub(super) const VECTORS: usize = COLUMNS / 8;

/// # Safety
/// That of [`Isa::multiply_integers`](super::Isa::multiply_integers); the rows are
/// `ROWS`.
#[inline]
#[target_feature(enable = "avx2,fma,avxvnni")]
pub(super) unsafe fn vnni<const ROWS: usize>(
    rows: Strided<*const u8>,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[_mm256_setzero_si256(); 2]; ROWS];
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let pair = weights.add(group * 64).cast::<__m256i>();
            let (left, right) = (_mm256_loadu_si256(pair), _mm256_loadu_si256(pair.add(1)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = rows.first.add(row * rows.stride + 4 * group).cast::<i32>();
                let factor = _mm256_set1_epi32(at.read_unaligned());
                tile[0] = _mm256_dpbusd_avx_epi32(tile[0], factor, left);
                tile[1] = _mm256_dpbusd_avx_epi32(tile[1], factor, right);
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.add(row * COLUMNS).cast::<__m256i>();
            _mm256_storeu_si256(at, tile[0]);
            _mm256_storeu_si256(at.add(1), tile[1]);
        }
    }
}

/// # Safety
/// That of [`Isa::multiply_floats`](super::Isa::multiply_floats); the rows are
/// `ROWS`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn floats<const ROWS: usize>(
    rows: Strided<*const f32>,
    panel: *const f32,
    depth: usize,
    sums: Strided<*mut f32>,
) {
    let mut tile = [[_mm256_setzero_ps(); 2]; ROWS];
    let (mut rows, mut panel) = (rows, panel);
    // SAFETY: the caller provides all rows and columns to that depth.
    unsafe {
        for _ in 0..depth / UNROLLED {
            for step in 0..UNROLLED {
                add_step(&mut tile, rows, panel, step);
            }
            rows.first = rows.first.add(UNROLLED);
            panel = panel.add(UNROLLED * COLUMNS);
        }
        for step in 0..depth % UNROLLED {
            add_step(&mut tile, rows, panel, step);
        }
        for (row, tile) in tile.iter().enumerate() {
            let at = sums.first.add(row * sums.stride);
            _mm256_storeu_ps(at, tile[0]);
            _mm256_storeu_ps(at.add(8), tile[1]);
        }
    }
}

/// Steps of a round of the loop. With one, every third instruction computes an address,
/// which counts where two threads share a core: products took a tenth longer.
const UNROLLED: usize = 4;

/// Adds the products of a column of the rows.
///
/// # Safety
/// There are `ROWS` rows and a panel beyond that step.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn add_step<const ROWS: usize>(
    tile: &mut [[__m256; 2]; ROWS],
    rows: Strided<*const f32>,
    panel: *const f32,
    step: usize,
) {
    // SAFETY: the caller provides the step.
    unsafe {
        let at = panel.add(step * COLUMNS);
        let (first, second) = (_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8)));
        for (row, tile) in tile.iter_mut().enumerate() {
            let factor = _mm256_set1_ps(*rows.first.add(row * rows.stride + step));
            tile[0] = _mm256_fmadd_ps(factor, first, tile[0]);
            tile[1] = _mm256_fmadd_ps(factor, second, tile[1]);
        }
    }
}
