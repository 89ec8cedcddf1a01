//! Operators of encoders that are computed here rather than by an engine.
//!
//! Portable, over slices; engines call them from operators of their own, and
//! lend them their threads. Each is written once and compiled for several
//! instruction sets, see `isa`.

mod aligned;
mod attention;
mod embedding;
mod exp;
mod isa;
mod l2_norm;
mod layer_norm;
mod linear;
#[doc(hidden)]
pub mod sample;
mod shared_granularity;
mod threads;

pub use attention::{Attention, Batch, Precision, Rotation, Rows};
pub use embedding::{Embedding, ScaleAxis, TableQuantization};
pub use l2_norm::{Bound, L2Normalize};
pub use layer_norm::LayerNorm;
pub use linear::{
    Activation, Activations, Granularity, Layer, Linear, MAX_INT8_INNER, WeightType, Weights,
};
pub use shared_granularity::SharedGranularity;
pub use threads::{Parallel, Pool, Serial, ThreadPool};

/// Whether this machine has instructions that the kernels are written for.
/// Without them they are right, and slower than an engine's own operators.
pub fn are_fast() -> bool {
    isa::InstructionSet::best().has_vectors()
}
