//! The interface to JavaScript: checks and conversions; the core does the work.

mod arrays;
mod corpus;
mod encoder;
mod error;
mod file;
mod health;
mod job;
mod listing;
mod load;
mod multi_vectors;
mod options;
mod pool;
mod results;
mod scores;
mod search;
#[cfg(target_feature = "atomics")]
mod threads;
mod wanted;

use wasm_bindgen::prelude::wasm_bindgen;

pub use corpus::WasmCorpus;
pub use encoder::WasmEncoder;
pub use job::WasmJob;
pub use scores::{max_sim, similarity};
pub use search::WasmSearch;
#[cfg(target_feature = "atomics")]
pub use threads::{enlist, help, report_failure};

/// Sets up how panics are reported.
#[wasm_bindgen(start)]
pub fn start() {
    health::install();
}
