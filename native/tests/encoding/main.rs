//! What encoders give, on each engine.

#![allow(clippy::expect_used, clippy::panic)]

mod batches;
mod behaviour;
mod finite;
mod hybrid;
mod kinds;
mod padding;
mod streams;
