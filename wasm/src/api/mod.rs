//! What JavaScript sees. Checks and conversions only: the core does the work.

mod arrays;
mod encoder;
mod error;
mod file;
mod health;
mod job;
mod options;
mod score;
#[cfg(target_feature = "atomics")]
mod threads;

use wasm_bindgen::prelude::wasm_bindgen;

pub use encoder::WasmEncoder;
pub use job::WasmJob;
pub use score::{matches, max_sim, pool, rank};
#[cfg(target_feature = "atomics")]
pub use threads::{enlist, help, report_failure};

/// The version of the package.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Sets up the reports of panics and of exhausted memory.
#[wasm_bindgen(start)]
pub fn start() {
    health::install();
}
