//! Exported graphs: fused or as published, they give the same vectors.

#![allow(clippy::expect_used, clippy::panic)]

mod attention;
mod causal;
#[cfg(feature = "tract")]
mod composites;
mod exports;
mod forms;
#[cfg(feature = "tract")]
mod operators;
mod optimization;
