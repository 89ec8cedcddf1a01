//! Model directories and bytes: what loads, and how the rest is refused.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod configuration;
mod graph;
mod layouts;
mod options;
#[path = "../support/mod.rs"]
mod support;
mod tokenizer;
