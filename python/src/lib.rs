//! The module `multivec._native`. The package in `multivec/` is what users see;
//! it checks types, reads options and documents them.
//!
//! The interpreter's lock is released while a model is loaded, while texts are
//! encoded, and while documents are scored.

mod call;
mod corpus;
mod embedding;
mod embeddings;
mod error;
mod model;
mod options;
mod process;
mod score;
mod texts;
mod tokens;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::corpus::Corpus;
    #[pymodule_export]
    use super::embedding::Embedding;
    #[pymodule_export]
    use super::embeddings::Embeddings;
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::score::{flat_of_arrow, matches, max_sim, reciprocal_rank_fusion, similarity};
}
