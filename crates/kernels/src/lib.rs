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
mod length;
mod linear;
mod normalize;
#[doc(hidden)]
pub mod sample;
mod switch;
mod threads;

pub use attention::{Attention, Batch, Products, Rotation, Rows};
pub use embedding::{Embedding, Levels, Scaled};
pub use length::{Bound, ScaleToLength};
pub use linear::{
    Activation, Activations, Granularity, Layer, Linear, MOST_SUMMED, WeightType, Weights,
};
pub use normalize::Normalize;
pub use switch::SharedGranularity;
pub use threads::{Parallel, Pool, Serial, Team};

/// Whether this machine has instructions that the kernels are written for.
/// Without them they are right, and slower than an engine's own operators.
pub fn are_fast() -> bool {
    isa::Kind::best().has_vectors()
}
