//! Fixtures, models and checks that the tests of multivec share.
//!
//! Fixtures are embedded, so that the same checks run in a browser.

#![allow(missing_docs, reason = "the crate is not published")]
#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

pub mod composites;
#[cfg(not(target_arch = "wasm32"))]
pub mod demo;
#[cfg(not(target_arch = "wasm32"))]
pub mod engines;
mod fixtures;
pub mod floats;
#[cfg(not(target_arch = "wasm32"))]
pub mod folders;
pub mod forms;
pub mod graphs;
pub mod group_query;
#[cfg(not(target_arch = "wasm32"))]
pub mod heads;
#[cfg(not(target_arch = "wasm32"))]
pub mod hub;
#[cfg(not(target_arch = "wasm32"))]
pub mod models;
pub mod notation;
pub mod operators;
pub mod parity;
#[cfg(target_os = "linux")]
pub mod process;
pub mod references;
pub mod tract;

pub use fixtures::{Fixture, MINILM, Reference, Side, TINY, TINY_BERT, TINY_MODERNBERT};

/// The Rust code of the documentation, which compiles and runs.
#[cfg(doctest)]
mod documentation {
    macro_rules! pages {
        ($($name:ident = $path:literal;)*) => {
            $(#[doc = include_str!(concat!("../../../", $path))] struct $name;)*
        };
    }

    pages! {
        Readme = "README.md";
        Kinds = "docs/kinds.md";
        Models = "docs/models.md";
        Native = "native/README.md";
        Throughput = "docs/throughput.md";
    }
}
