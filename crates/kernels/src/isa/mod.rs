//! Instruction sets that kernels are compiled for.
//!
//! A kernel is written once, generic over [`Isa`], and compiled for each
//! instruction set; [`InstructionSet::best`] is chosen at run time.
//!
//! A type that implements [`Isa`] is a token of size zero: it proves that the
//! machine has the instructions, as only detection makes one. Vectors are made
//! from a token and prove the same.

mod entry;
mod layout;
mod limit;
mod plain;
#[macro_use]
mod set;
mod token;
#[macro_use]
mod vector;

use cfg_if::cfg_if;

pub(super) use entry::entry;
pub(super) use layout::Layout;
pub use limit::{KernelSet, MAX_ISA, UnknownInstructionSet, instruction_set};
pub(super) use plain::Plain;
pub(super) use token::{Candidate, Isa, Kernel, Levels, Narrow, Strided};
pub(super) use vector::Vector;

/// Floats in a cache line.
pub(super) const LINE: usize = 64 / size_of::<f32>();

/// Elements of the largest tile of any instruction set.
pub(super) const MAX_TILE: usize = 12 * 32;
/// The largest [`Isa::BLOCKS`] of any instruction set.
pub(super) const MAX_BLOCKS: usize = 3;
/// Lanes of the widest vector of any instruction set.
pub(super) const MAX_LANES: usize = 16;

cfg_if! {
    // Miri interprets no vector instructions.
    if #[cfg(miri)] {
        instruction_sets! { Plain(Plain<1>) = "plain", }
    } else if #[cfg(target_arch = "x86_64")] {
        mod avx2;
        mod avx512;
        instruction_sets! {
            Avx512Vnni(avx512::Avx512Vnni) = "avx512-vnni",
            AvxVnni(avx2::Avx2<true>) = "avx-vnni",
            Avx2(avx2::Avx2<false>) = "avx2",
            Plain(Plain<1>) = "plain",
        }
    } else if #[cfg(target_arch = "aarch64")] {
        mod neon;
        instruction_sets! {
            NeonDot(neon::NeonDot) = "neon-dotprod",
            Plain(Plain<1>) = "plain",
        }
    } else if #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))] {
        mod wasm;
        // Without plain code, which would make modules larger.
        instruction_sets! {
            Wasm(wasm::Wasm<true, false>) = "relaxed-simd128",
            WasmPairs(wasm::Wasm<false, true>) = "relaxed-simd128, pairs",
            WasmSevenBits(wasm::Wasm<false, false>) = "relaxed-simd128, 7 bits",
            #[cfg(test)]
            Plain(Plain<1>) = "plain",
        }
    } else if #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))] {
        mod wasm;
        instruction_sets! {
            Wasm(wasm::Wasm<true, false>) = "simd128",
            #[cfg(test)]
            Plain(Plain<1>) = "plain",
        }
    } else {
        instruction_sets! { Plain(Plain<1>) = "plain", }
    }
}
