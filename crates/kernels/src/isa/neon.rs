//! NEON with dot products of 8 bits.

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

use super::token::{Isa, Kernel, Levels, Strided};
use super::{MAX_LANES, Vector};

/// Proof that the machine has NEON with dot products.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct NeonDot(());

/// Four floats; made from the token alone.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(in super::super) struct F32x4(float32x4_t);

// SAFETY: `detect` alone makes the token.
unsafe impl Isa for NeonDot {
    type Vector = F32x4;
    type Quantized = i8;
    type Weight = i8;
    const GROUP: usize = 4;
    const ROWS: usize = 6;
    const COLUMNS: usize = 16;
    const ONE: i8 = 1;
    const MAX_QUANTIZED: i32 = 255;
    const CENTRED: bool = false;
    // The instruction multiplies signed values.
    const OFFSET: i32 = 128;

    fn detect() -> Option<Self> {
        let is_there =
            is_aarch64_feature_detected!("neon") && is_aarch64_feature_detected!("dotprod");
        is_there.then_some(Self(()))
    }

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "neon,dotprod")]
        fn run<K: Kernel>(isa: NeonDot, kernel: K) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: `self` proves the instructions.
        unsafe { run(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> F32x4 {
        // SAFETY: `self` proves the instructions.
        F32x4(unsafe { vdupq_n_f32(value) })
    }

    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> F32x4 {
        // SAFETY: `self` proves the instructions; the caller provides a vector.
        F32x4(unsafe { vld1q_f32(at) })
    }

    #[inline(always)]
    unsafe fn load_integers(self, at: *const i32) -> F32x4 {
        // SAFETY: `self` proves the instructions; the caller provides a vector.
        F32x4(unsafe { vcvtq_f32_s32(vld1q_s32(at)) })
    }

    #[inline(always)]
    unsafe fn load_integers_less(self, at: *const i32, zero: i32, others: *const i32) -> F32x4 {
        // SAFETY: `self` proves the instructions; the caller provides a vector at
        // both.
        F32x4(unsafe { vcvtq_f32_s32(vmlsq_n_s32(vld1q_s32(at), vld1q_s32(others), zero)) })
    }

    #[inline(always)]
    unsafe fn quantize(self, values: F32x4, levels: Levels, at: *mut i8) {
        // SAFETY: `self` proves the instructions; the caller provides room for a
        // vector.
        unsafe {
            let least = vdupq_n_s32(-Self::OFFSET);
            let largest = vdupq_n_s32(levels.largest - Self::OFFSET);
            let zero = vdupq_n_s32(levels.zero - Self::OFFSET);
            let quantized = vaddq_s32(vcvtnq_s32_f32(values.0), zero);
            let quantized = vmovn_s32(vminq_s32(vmaxq_s32(quantized, least), largest));
            let quantized = vmovn_s16(vcombine_s16(quantized, quantized));
            let quantized = vget_lane_s32::<0>(vreinterpret_s32_s8(quantized));
            at.cast::<i32>().write_unaligned(quantized);
        }
    }

    #[inline(always)]
    fn widen<'a>(self, panel: &'a [i8], _: &'a mut Vec<i8>) -> &'a [i8] {
        panel
    }

    #[inline(always)]
    unsafe fn multiply_integers(
        self,
        count: usize,
        rows: Strided<*const i8>,
        weights: *const i8,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe { by_rows!(count, integers(rows, weights, groups, sums), 1 2 3 4 5 6) }
    }

    #[inline(always)]
    fn spread(self, bits: [u8; 4], to: &mut [i8; 32]) {
        // SAFETY: `self` proves the instructions.
        unsafe { spread(bits, to) }
    }

    #[inline(always)]
    unsafe fn multiply_floats(
        self,
        count: usize,
        rows: Strided<*const f32>,
        panel: *const f32,
        depth: usize,
        sums: Strided<*mut f32>,
    ) {
        // SAFETY: `self` proves the instructions; the contract is the same.
        unsafe { by_rows!(count, floats(rows, panel, depth, sums), 1 2 3 4 5 6) }
    }
}

/// `sum + values . weights`, four products for each of four sums.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(sum: int32x4_t, values: int8x16_t, weights: int8x16_t) -> int32x4_t {
    let mut sum = sum;
    // SAFETY: reads and writes nothing but registers. Its intrinsic is not stable.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {values:v}.16b, {weights:v}.16b",
            sum = inout(vreg) sum,
            values = in(vreg) values,
            weights = in(vreg) weights,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// # Safety
/// That of [`Isa::multiply_integers`]; the rows are `ROWS`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn integers<const ROWS: usize>(
    rows: Strided<*const i8>,
    weights: *const i8,
    groups: usize,
    sums: *mut i32,
) {
    let mut tile = [[vdupq_n_s32(0); 4]; ROWS];
    // SAFETY: the caller provides all groups, rows and columns.
    unsafe {
        for group in 0..groups {
            let at = weights.add(group * 64);
            let columns = [0, 1, 2, 3].map(|part| vld1q_s8(at.add(part * 16)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let at = rows.first.add(row * rows.stride + 4 * group).cast::<i32>();
                let factor = vreinterpretq_s8_s32(vdupq_n_s32(at.read_unaligned()));
                for (sum, weights) in tile.iter_mut().zip(columns) {
                    *sum = dot(*sum, factor, weights);
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

/// See [`Isa::spread`].
#[inline]
#[target_feature(enable = "neon")]
fn spread(bits: [u8; 4], to: &mut [i8; 32]) {
    // Each byte eight times, of which each keeps another bit.
    let each = vcreate_u8(u64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
    let each = vcombine_u8(each, each);
    for (places, two) in to
        .as_chunks_mut::<16>()
        .0
        .iter_mut()
        .zip(bits.as_chunks::<2>().0)
    {
        let bytes = vcombine_u8(vdup_n_u8(two[0]), vdup_n_u8(two[1]));
        let found = vshrq_n_u8::<7>(vtstq_u8(bytes, each));
        // SAFETY: there are 16 bytes.
        unsafe { vst1q_u8(places.as_mut_ptr().cast(), found) };
    }
}

/// # Safety
/// That of [`Isa::multiply_floats`]; the rows are `ROWS`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn floats<const ROWS: usize>(
    rows: Strided<*const f32>,
    panel: *const f32,
    depth: usize,
    sums: Strided<*mut f32>,
) {
    let mut tile = [[vdupq_n_f32(0.); 4]; ROWS];
    // SAFETY: the caller provides all rows and columns to that depth.
    unsafe {
        for step in 0..depth {
            let at = panel.add(step * 16);
            let columns = [0, 1, 2, 3].map(|part| vld1q_f32(at.add(part * 4)));
            for (row, tile) in tile.iter_mut().enumerate() {
                let factor = vdupq_n_f32(*rows.first.add(row * rows.stride + step));
                for (sum, values) in tile.iter_mut().zip(columns) {
                    *sum = vfmaq_f32(*sum, factor, values);
                }
            }
        }
        for (row, tile) in tile.iter().enumerate() {
            for (part, sum) in tile.iter().enumerate() {
                vst1q_f32(sums.first.add(row * sums.stride + part * 4), *sum);
            }
        }
    }
}

impl Vector for F32x4 {
    const LANES: usize = 4;

    instructions! {
        add(other) = vaddq_f32;
        sub(other) = vsubq_f32;
        mul(other) = vmulq_f32;
        div(other) = vdivq_f32;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { vdupq_n_f32(value) })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: vectors are made from a token of the instruction set; the
        // caller provides room for one.
        unsafe { vst1q_f32(at, self.0) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { vfmaq_f32(sum.0, self.0, factor.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { vbslq_f32(vcgtq_f32(self.0, other.0), self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { vbslq_f32(vcltq_f32(self.0, other.0), self.0, other.0) })
    }

    #[inline(always)]
    fn max_magnitude(self, maximum: Self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe {
            let bits = vreinterpretq_u32_f32(vabsq_f32(self.0));
            vreinterpretq_f32_u32(vmaxq_u32(bits, vreinterpretq_u32_f32(maximum.0)))
        })
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        // SAFETY: vectors are made from a token of the instruction set.
        Self(unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(vreinterpretq_s32_f32(self.0))) })
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe { vaddvq_f32(self.0) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe { vmaxnmvq_f32(self.0) }
    }

    #[inline(always)]
    fn reduce_rows(rows: &[Self; MAX_LANES], by: impl Fn(Self, Self) -> Self) -> Self {
        let by = |one: float32x4_t, other: float32x4_t| by(Self(one), Self(other)).0;
        let mut pairs = [rows[0].0; 2];
        // SAFETY: vectors are made from a token of the instruction set.
        unsafe {
            for (at, pair) in pairs.iter_mut().enumerate() {
                let (one, other) = (rows[2 * at].0, rows[2 * at + 1].0);
                *pair = by(vzip1q_f32(one, other), vzip2q_f32(one, other));
            }
            let [one, other] = pairs.map(|pair| vreinterpretq_f64_f32(pair));
            Self(by(
                vreinterpretq_f32_f64(vzip1q_f64(one, other)),
                vreinterpretq_f32_f64(vzip2q_f64(one, other)),
            ))
        }
    }
}
