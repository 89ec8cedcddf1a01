//! Operators of text encoders, fused and vectorized.
//!
//! They work on slices. Engines call them from custom operators, and lend them
//! their threads, see [`Parallel`]. Each is written once and compiled for several
//! instruction sets, of which the fastest one of the machine is used.

mod aligned;
mod attention;
mod embedding;
mod exp;
mod isa;
mod l2_norm;
mod layer_norm;
mod linear;
mod max_sim;
mod rms_norm;
mod rounding;
#[doc(hidden)]
pub mod sample;
mod shared_granularity;
mod short_convolution;
mod threads;

pub use attention::{
    Attention, Batch, Bias, BiasForm, HeadNorm, HeadNorms, Precision, Rotation, Rows, Sight,
};
pub use embedding::{Embedding, ScaleAxis, TableQuantization};
pub use isa::{KernelSet, MAX_ISA, UnknownInstructionSet, instruction_set};
pub use l2_norm::{Bound, L2Normalize};
pub use layer_norm::LayerNorm;
pub use linear::{
    Activation, Activations, Function, Granularity, Join, Layer, Linear, MAX_INT8_INNER, Texts,
    TokenPooling, WeightType, Weights,
};
pub use max_sim::{DocumentRows, Documents, MAX_COLUMNS, MaxSim, QueryFormat, RowFormat, bytes_of};
pub use rms_norm::RmsNorm;
pub use shared_granularity::SharedGranularity;
pub use short_convolution::ShortConvolution;
pub use threads::{Parallel, Pool, Serial, ThreadPool};

/// Whether the kernels of this build use WebAssembly's relaxed SIMD.
pub const RELAXED_SIMD: bool = cfg!(all(target_arch = "wasm32", target_feature = "relaxed-simd"));

/// Whether the kernels have vector instructions on this machine. Without them
/// they are correct, but slower than an engine's own operators.
pub fn are_fast() -> bool {
    isa::InstructionSet::best().has_vectors()
}
