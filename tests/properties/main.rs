//! Properties of all inputs, checked on generated ones.

#![allow(clippy::expect_used, clippy::panic)]

mod batches;
mod corpora;
mod inputs;
mod parsing;
mod pooling;
mod scores;
mod texts;
