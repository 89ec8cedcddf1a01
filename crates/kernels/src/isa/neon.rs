//! NEON with dot products of 8 bits.

use std::arch::aarch64::*;
use std::arch::asm;

use super::{Isa, MOST_LANES, Vector, by_rows};

pub(super) struct NeonDot;

impl Isa for NeonDot {
    type Vector = float32x4_t;
    type Level = i8;
    type Weight = i8;
    const GROUP: usize = 4;
    const ROWS: usize = 6;
    const COLUMNS: usize = 16;
    const ONE: Self::Level = 1;
    const LARGEST: f32 = 255.;
    const CENTRED: bool = false;
    // The instruction multiplies signed levels.
    const OFFSET: i32 = 128;

    #[inline(always)]
    unsafe fn levels(values: float32x4_t, zero: i32, at: *mut i8) {
        // SAFETY: the caller's.
        unsafe {
            let least = vdupq_n_s32(-Self::OFFSET);
            let largest = vdupq_n_s32(Self::LARGEST as i32 - Self::OFFSET);
            let levels = vaddq_s32(vcvtnq_s32_f32(values), vdupq_n_s32(zero - Self::OFFSET));
            let levels = vmovn_s32(vminq_s32(vmaxq_s32(levels, least), largest));
            let levels = vmovn_s16(vcombine_s16(levels, levels));
            let levels = vget_lane_s32::<0>(vreinterpret_s32_s8(levels));
            at.cast::<i32>().write_unaligned(levels);
        }
    }

    #[inline(always)]
    fn weights<'a>(panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[inline(always)]
    unsafe fn integers(
        rows: usize,
        levels: *const i8,
        stride: usize,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the caller's.
        unsafe { by_rows!(rows, integers(levels, stride, weights, groups, sums), 1 2 3 4 5 6) }
    }

    #[inline(always)]
    unsafe fn floats(
        rows: usize,
        left: *const f32,
        stride: usize,
        panel: *const f32,
        depth: usize,
        sums: *mut f32,
        sums_stride: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            by_rows!(rows, floats(left, stride, panel, depth, sums, sums_stride), 1 2 3 4 5 6)
        }
    }
}

/// `sum + levels . weights`, four products for each of four sums.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(sum: int32x4_t, levels: int8x16_t, weights: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: reads and writes registers alone; its intrinsic is not stable.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {levels:v}.16b, {weights:v}.16b",
            sum = inout(vreg) sum,
            levels = in(vreg) levels,
            weights = in(vreg) weights,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// # Safety
/// That of [`Isa::integers`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn integers<const ROWS: usize>(
    levels: *const i8,
    stride: usize,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[vdupq_n_s32(0); 4]; ROWS];
    // SAFETY: the caller's slices hold all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let at = weights.add(group * 64);
            let columns = [0, 1, 2, 3].map(|part| vld1q_s8(at.add(part * 16)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = levels.add(row * stride + 4 * group).cast::<i32>();
                let level = vreinterpretq_s8_s32(vdupq_n_s32(at.read_unaligned()));
                for (sum, weights) in tile.iter_mut().zip(columns) {
                    *sum = dot(*sum, level, weights);
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            for (part, sum) in tile.iter().enumerate() {
                vst1q_s32(sums.add(row * 16 + part * 4), *sum);
            }
        }
    }
}

/// # Safety
/// That of [`Isa::floats`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn floats<const ROWS: usize>(
    left: *const f32,
    stride: usize,
    panel: *const f32,
    depth: usize,
    sums: *mut f32,
    sums_stride: usize,
) {
    let mut tile = [[vdupq_n_f32(0.); 4]; ROWS];
    // SAFETY: the caller's slices hold all of the depth, rows and columns.
    unsafe {
        for step in 0..depth {
            let at = panel.add(step * 16);
            let columns = [0, 1, 2, 3].map(|part| vld1q_f32(at.add(part * 4)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let factor = vdupq_n_f32(*left.add(row * stride + step));
                for (sum, values) in tile.iter_mut().zip(columns) {
                    *sum = vfmaq_f32(*sum, factor, values);
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            for (part, sum) in tile.iter().enumerate() {
                vst1q_f32(sums.add(row * sums_stride + part * 4), *sum);
            }
        }
    }
}

impl Vector for float32x4_t {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { vld1q_f32(at) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller's.
        unsafe { vst1q_f32(at, self) }
    }

    #[inline(always)]
    unsafe fn from_integers(at: *const i32, zero: i32, others: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe { vcvtq_f32_s32(vmlsq_n_s32(vld1q_s32(at), vld1q_s32(others), zero)) }
    }

    #[inline(always)]
    unsafe fn from_plain_integers(at: *const i32) -> Self {
        // SAFETY: the caller's.
        unsafe { vcvtq_f32_s32(vld1q_s32(at)) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vaddq_f32(self, other) }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vsubq_f32(self, other) }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vmulq_f32(self, other) }
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vdivq_f32(self, other) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vfmaq_f32(sum, self, factor) }
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vbslq_f32(vcgtq_f32(self, other), self, other) }
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vbslq_f32(vcltq_f32(self, other), self, other) }
    }

    #[inline(always)]
    fn magnitude(self, before: Self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe {
            let bits = vreinterpretq_u32_f32(vabsq_f32(self));
            vreinterpretq_f32_u32(vmaxq_u32(bits, vreinterpretq_u32_f32(before)))
        }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: the instruction set is there.
        unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(vreinterpretq_s32_f32(self))) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: the instruction set is there.
        unsafe { vaddvq_f32(self) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: the instruction set is there.
        unsafe { vmaxnmvq_f32(self) }
    }

    #[inline(always)]
    fn across(rows: &[Self; MOST_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        let mut pairs = [rows[0]; 2];
        // SAFETY: the instruction set is there.
        unsafe {
            for (at, pair) in pairs.iter_mut().enumerate() {
                let (one, other) = (rows[2 * at], rows[2 * at + 1]);
                *pair = by(vzip1q_f32(one, other), vzip2q_f32(one, other));
            }
            let [one, other] = pairs.map(|pair| vreinterpretq_f64_f32(pair));
            by(
                vreinterpretq_f32_f64(vzip1q_f64(one, other)),
                vreinterpretq_f32_f64(vzip2q_f64(one, other)),
            )
        }
    }
}
