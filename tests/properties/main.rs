//! Properties that hold for any input, with generated ones.

#![allow(clippy::expect_used, clippy::panic)]

mod batches;
#[path = "../common/mod.rs"]
mod common;
mod inputs;
mod parsing;
mod pooling;
mod scores;
#[path = "../support/mod.rs"]
mod support;
mod texts;
