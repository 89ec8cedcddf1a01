//! Loading model directories and bytes, valid and invalid.

#![allow(clippy::expect_used, clippy::panic)]

mod configuration;
mod graph;
mod layouts;
mod options;
mod tokenizer;
