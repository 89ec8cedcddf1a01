//! Model directories and bytes: what loads, and how the rest is refused.

#![allow(clippy::expect_used, clippy::panic)]

mod configuration;
mod graph;
mod layouts;
mod options;
mod tokenizer;
