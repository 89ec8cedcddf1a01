//! Tables as inputs and outputs of `multivec`.

#![allow(clippy::expect_used, clippy::panic)]

mod files;
mod input;
mod output;
mod resume;
mod run;
mod shards;
