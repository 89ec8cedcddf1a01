//! Instruction sets: what each can multiply at a time.
//!
//! A kernel is written once, over [`Isa`], and compiled for each instruction
//! set; which one runs is decided when a program starts.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod entries;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
mod plain;
mod transpose;
mod vector;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

pub(super) use entries::{Layout, attend, multiply, normalize, quantize};
pub(super) use vector::Vector;

/// Products of small tiles, the inner loops of all others.
///
/// Weights are in panels of `COLUMNS` columns: `[groups, COLUMNS, GROUP]`,
/// where a group is so many rows of weights that one instruction multiplies.
pub(super) trait Isa {
    /// Floats that are worked on at a time. Panels are whole vectors, and so
    /// are halves of them.
    type Vector: Vector;
    /// How levels of quantized rows are held.
    type Level: Copy + Default + Into<i32> + Send + Sync;
    /// How weights are read by the product.
    type Weight: Copy + Default + 'static;
    /// Rows of weights in a group.
    const GROUP: usize;
    /// Most rows of a tile.
    const ROWS: usize;
    /// Columns of a tile.
    const COLUMNS: usize;
    /// Parts of a row that have a scale each: the fewer levels there are, the
    /// more scales are needed.
    const BLOCKS: usize = 1;
    /// The largest level; the least is 0.
    const LARGEST: f32;
    /// Whether levels are held less the zero point of their row.
    const CENTRED: bool;
    /// What levels are held less of, where they are not centred.
    const OFFSET: i32 = 0;
    /// The level that multiplies by 1, whatever the offset.
    const ONE: Self::Level;

    /// Writes levels of values that were divided by the scale of their row:
    /// rounded to the nearest whole numbers, ties to even, plus the zero
    /// point, within `0..=LARGEST`; less the zero point again where they are
    /// centred.
    ///
    /// # Safety
    /// The instructions must be there, and room for so many levels as there
    /// are values. Values are finite.
    unsafe fn levels(values: Self::Vector, zero: i32, at: *mut Self::Level);

    /// The same for four vectors, where that takes fewer instructions.
    ///
    /// # Safety
    /// As [`levels`](Self::levels).
    #[inline(always)]
    unsafe fn four_levels(values: [Self::Vector; 4], zero: i32, at: *mut Self::Level) {
        for (part, values) in values.into_iter().enumerate() {
            // SAFETY: the caller's.
            unsafe { Self::levels(values, zero, at.add(part * Self::Vector::LANES)) };
        }
    }

    /// Writes levels of 8 bits, around 0, of as many rows as there are factors,
    /// times these, as a panel with a column for each; `space` is of its size.
    ///
    /// # Safety
    /// The instructions must be there. There are as many rows, so far from each
    /// other, of `width` floats, which are whole vectors and groups, and room
    /// for `COLUMNS` times as many levels. What they come to is within 127.
    #[inline(always)]
    unsafe fn key_levels(
        rows: (*const f32, usize),
        factors: &[f32],
        width: usize,
        panel: &mut [i8],
        space: &mut [i8],
    ) {
        // SAFETY: the caller's.
        unsafe { transpose::keys::<Self>(rows, factors, width, panel, space) }
    }

    /// The same with a factor for each of `COLUMNS` columns, as the first rows
    /// of a panel, in whole groups, with zeros for want of rows.
    ///
    /// # Safety
    /// The instructions must be there. There are `count` rows, so far from each
    /// other. What they come to is within 127.
    #[inline(always)]
    unsafe fn value_levels(
        rows: (*const f32, usize),
        count: usize,
        factors: &[f32],
        panel: &mut [i8],
    ) {
        // SAFETY: the caller's.
        unsafe { transpose::values::<Self>(rows, count, factors, panel) }
    }

    /// Levels of a row that share a scale, of so many; the last ones may be
    /// fewer.
    #[inline(always)]
    fn block(levels: usize) -> usize {
        levels.div_ceil(Self::BLOCKS).next_multiple_of(Self::GROUP)
    }

    /// A panel of 8-bit weights as the product reads them.
    fn weights<'a>(panel: &'a [i8], scratch: &'a mut Vec<Self::Weight>) -> &'a [Self::Weight];

    /// `sums[row, column] = levels[row] . weights[column]` for `rows` rows.
    ///
    /// # Safety
    /// The instructions must be there. `levels` has `rows` rows of `stride`,
    /// `weights` has `groups` groups, `sums` is `[rows, COLUMNS]`, and `rows`
    /// is `1..=ROWS`.
    unsafe fn integers(
        rows: usize,
        levels: *const Self::Level,
        stride: usize,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
    );

    /// What [`narrow_integers`](Self::narrow_integers) takes, where there is
    /// such a product.
    const NARROW: Option<Narrow> = None;

    /// The same as [`integers`](Self::integers), faster, for weights that are
    /// within [`NARROW`](Self::NARROW).
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn narrow_integers(
        rows: usize,
        levels: *const Self::Level,
        stride: usize,
        weights: *const Self::Weight,
        groups: usize,
        sums: *mut i32,
    ) {
        // SAFETY: the caller's.
        unsafe { Self::integers(rows, levels, stride, weights, groups, sums) }
    }

    /// Has a line of memory brought near that will be read soon, where there is
    /// an instruction for that.
    #[inline(always)]
    fn expect_read(_: *const f32) {}

    /// The same for one that will be written soon.
    #[inline(always)]
    fn expect_write(_: *const f32) {}

    /// `sums[row, column] = left[row] . panel[.., column]` for `rows` rows of
    /// floats.
    ///
    /// # Safety
    /// The instructions must be there. `left` has `rows` rows of `stride`,
    /// `panel` is `[depth, COLUMNS]`, `sums` has rows of `sums_stride`
    /// with `COLUMNS` columns, and `rows` is `1..=ROWS`.
    unsafe fn floats(
        rows: usize,
        left: *const f32,
        stride: usize,
        panel: *const f32,
        depth: usize,
        sums: *mut f32,
        sums_stride: usize,
    );
}

/// Products that are first summed in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Narrow {
    /// Groups that are summed so.
    pub(super) groups: usize,
    /// Rows of weights of a group that are summed in one lane.
    pub(super) lane: usize,
    /// The most that weights of one sign in a lane may add up to.
    pub(super) most: i32,
}

/// Floats in a line of memory, as caches hold it.
pub(super) const LINE: usize = 64 / size_of::<f32>();

/// The largest tile of any instruction set.
pub(super) const LARGEST_TILE: usize = 12 * 32;
/// The most blocks of a row of any instruction set, see [`Isa::BLOCKS`].
pub(super) const MOST_BLOCKS: usize = 3;
/// The widest vector of any instruction set.
pub(super) const MOST_LANES: usize = 16;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Wasm,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    WasmPairs,
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    WasmSevenBits,
    /// For machines with none of the others, which in a module with vectors are
    /// none.
    #[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
    Plain,
    /// The same with several scales a row.
    #[cfg(test)]
    Blocks,
}

impl Kind {
    /// Those that this machine has, the fastest first; at least one.
    pub(super) fn all() -> Vec<Self> {
        let kinds = [
            #[cfg(target_arch = "x86_64")]
            (
                Self::Avx512Vnni,
                std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512bw")
                    && std::is_x86_feature_detected!("avx512vl")
                    && std::is_x86_feature_detected!("avx512vnni"),
            ),
            #[cfg(target_arch = "x86_64")]
            (
                Self::Avx2,
                std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma"),
            ),
            #[cfg(target_arch = "aarch64")]
            (
                Self::NeonDot,
                std::arch::is_aarch64_feature_detected!("dotprod"),
            ),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            (
                Self::Wasm,
                wasm::Relaxed::here() == wasm::Relaxed::EightBits,
            ),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            (
                Self::WasmPairs,
                wasm::Relaxed::here() == wasm::Relaxed::Pairs,
            ),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            (Self::WasmSevenBits, true),
            #[cfg(all(
                target_arch = "wasm32",
                target_feature = "simd128",
                not(target_feature = "relaxed-simd")
            ))]
            (Self::Wasm, true),
            #[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
            (Self::Plain, true),
        ];
        let there = kinds.into_iter().filter(|(_, is_there)| *is_there);
        there.map(|(kind, _)| kind).collect()
    }

    /// Whether it has more than one number in an instruction.
    pub(super) fn has_vectors(self) -> bool {
        match self {
            #[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
            Self::Plain => false,
            #[cfg(test)]
            Self::Blocks => false,
            #[allow(unreachable_patterns)]
            _ => true,
        }
    }

    /// The fastest that this machine has.
    pub(super) fn best() -> Self {
        static BEST: std::sync::OnceLock<Kind> = std::sync::OnceLock::new();
        // There is always one: without vectors, the plain one.
        *BEST.get_or_init(|| Self::all()[0])
    }
}

/// Calls a tile that is generic over its number of rows.
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_feature = "simd128"
))]
macro_rules! by_rows {
    ($rows:expr, $tile:ident $arguments:tt, $($count:literal)+) => {
        match $rows {
            $($count => $tile::<$count> $arguments,)+
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_feature = "simd128"
))]
use by_rows;
