//! The commands `quantize` and `verify`.

#![allow(clippy::expect_used, clippy::panic)]

mod command;
mod memory;
#[path = "../command/mod.rs"]
mod shared;
