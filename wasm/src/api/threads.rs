//! What a worker calls whose thread is lent to the encoder, in this order.

use wasm_bindgen::prelude::wasm_bindgen;

use super::error::JsResult;
use super::health;
use crate::threads::POOL;

/// Counts the thread in. Models that are loaded from now on count on it.
#[wasm_bindgen]
pub fn enlist() -> JsResult<()> {
    health::check()?;
    POOL.enlist();
    Ok(())
}

/// Works for the encoder, for as long as there is a page; throws what ends the
/// thread.
#[wasm_bindgen]
pub fn help() {
    POOL.help();
}

/// Makes the encoder's call fail that waits for this thread, after
/// [`help`] has thrown.
#[wasm_bindgen(js_name = reportFailure)]
pub fn report_failure() {
    POOL.report_failure();
}
