//! The kernels, compiled for each instruction set, and the choice among them.

use super::super::attention::{Heads, attend_heads};
use super::super::layer_norm::{Normalize, normalize_rows};
use super::super::linear::{Product, QuantizeOptions, RowScale, multiply_tiles, quantize_rows};
use super::{Isa, Kind, Narrow};

/// A function that runs a kernel, generic over [`Isa`], with whatever
/// instructions there are. Each instruction set has a function of its own:
/// browsers make slower code of large ones.
macro_rules! kernel {
    (
        $(#[$doc:meta])*
        $name:ident = $kernel:ident($($argument:ident: $type:ty),*)
    ) => {
        $(#[$doc])*
        pub(in super::super) fn $name(kind: Kind, $($argument: $type),*) {
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            #[inline(never)]
            fn run<I: Isa>($($argument: $type),*) {
                $kernel::<I>($($argument),*)
            }
            match kind {
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512Vnni => {
                    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
                    fn run($($argument: $type),*) {
                        $kernel::<super::avx512::Avx512Vnni>($($argument),*)
                    }
                    // SAFETY: a kind is made where its instructions are.
                    unsafe { run($($argument),*) }
                }
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 => {
                    #[target_feature(enable = "avx2,fma")]
                    fn run($($argument: $type),*) {
                        $kernel::<super::avx2::Avx2>($($argument),*)
                    }
                    // SAFETY: a kind is made where its instructions are.
                    unsafe { run($($argument),*) }
                }
                #[cfg(target_arch = "aarch64")]
                Kind::NeonDot => {
                    #[target_feature(enable = "neon,dotprod")]
                    fn run($($argument: $type),*) {
                        $kernel::<super::neon::NeonDot>($($argument),*)
                    }
                    // SAFETY: a kind is made where its instructions are.
                    unsafe { run($($argument),*) }
                }
                #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
                Kind::Wasm => run::<super::wasm::Wasm<true, false>>($($argument),*),
                #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
                Kind::WasmPairs => run::<super::wasm::Wasm<false, true>>($($argument),*),
                #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
                Kind::WasmSevenBits => run::<super::wasm::Wasm<false, false>>($($argument),*),
                #[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
                Kind::Plain => $kernel::<super::plain::Plain<1>>($($argument),*),
                #[cfg(test)]
                Kind::Blocks => $kernel::<super::plain::Plain<3>>($($argument),*),
            }
        }
    };
}

kernel! {
    /// Quantizes rows, see [`quantize_rows`]. The levels are as many bytes as
    /// [`level_size`] says.
    quantize = quantize_rows(
        options: QuantizeOptions<'_>, rows: &[f32], levels: &mut [u8], scales: &mut [RowScale]
    )
}

kernel! {
    /// Tiles of a product, see [`multiply_tiles`].
    multiply = multiply_tiles(
        product: &Product<'_>, rows: std::ops::Range<usize>, panels: std::ops::Range<usize>
    )
}

kernel! {
    /// Heads of texts, see [`attend_heads`].
    attend = attend_heads(heads: &Heads<'_>, which: std::ops::Range<usize>)
}

kernel! {
    /// Layer normalization, see [`normalize_rows`].
    normalize = normalize_rows(normalize: &Normalize<'_>, rows: &[f32], out: &mut [f32])
}

/// How panels are laid out for an instruction set.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Layout {
    /// Rows of weights in a group.
    pub(in super::super) group: usize,
    /// Columns of a panel.
    pub(in super::super) columns: usize,
    /// Rows of a tile.
    pub(in super::super) rows: usize,
    /// Levels of a row that share a scale, of so many.
    pub(in super::super) block: fn(usize) -> usize,
    /// Bytes of a level.
    pub(in super::super) level_size: usize,
    /// Whether levels are held less the zero point of their row.
    pub(in super::super) centred: bool,
    /// What weights have to be within for the faster product, if there is one.
    pub(in super::super) narrow: Option<Narrow>,
    /// The largest level.
    #[cfg(test)]
    pub(in super::super) largest: f32,
}

impl Layout {
    fn of<I: Isa>() -> Self {
        Self {
            group: I::GROUP,
            columns: I::COLUMNS,
            rows: I::ROWS,
            block: I::block,
            level_size: size_of::<I::Level>(),
            centred: I::CENTRED,
            narrow: I::NARROW,
            #[cfg(test)]
            largest: I::LARGEST,
        }
    }
}

impl Kind {
    pub(in super::super) fn layout(self) -> Layout {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Layout::of::<super::avx512::Avx512Vnni>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Layout::of::<super::avx2::Avx2>(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => Layout::of::<super::neon::NeonDot>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Wasm => Layout::of::<super::wasm::Wasm<true, false>>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Self::WasmPairs => Layout::of::<super::wasm::Wasm<false, true>>(),
            #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
            Self::WasmSevenBits => Layout::of::<super::wasm::Wasm<false, false>>(),
            #[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
            Self::Plain => Layout::of::<super::plain::Plain<1>>(),
            #[cfg(test)]
            Self::Blocks => Layout::of::<super::plain::Plain<3>>(),
        }
    }
}
