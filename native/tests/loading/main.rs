//! Loading model directories and bytes, valid and invalid.

#![allow(clippy::expect_used, clippy::panic)]

mod configuration;
mod external;
mod failing;
mod graph;
mod int8_at_load;
mod layouts;
mod options;
mod published;
mod tokenizer;
