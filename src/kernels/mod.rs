//! Operators of encoders that are computed here rather than by an engine.
//!
//! Portable, over slices; engines call them from operators of their own.

mod attention;
mod exp;

pub use attention::{Attention, Batch, Rotation};
