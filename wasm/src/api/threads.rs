//! Called in this order by a worker that lends its thread to the encoder.

use wasm_bindgen::prelude::wasm_bindgen;

use super::error::JsResult;
use super::health;
use crate::threads::POOL;

/// Registers the thread. Models that are loaded afterwards use it.
#[wasm_bindgen]
pub fn enlist() -> JsResult<()> {
    health::check()?;
    POOL.enlist();
    Ok(())
}

/// Works for the encoder as long as the page lives; throws when the thread
/// fails.
#[wasm_bindgen]
pub fn help() {
    POOL.help();
}

/// Fails the encoder's call that waits for this thread, after [`help`] threw.
#[wasm_bindgen(js_name = reportFailure)]
pub fn report_failure() {
    // SAFETY: JavaScript calls this on the worker whose call of `help` threw, as the
    // last thing that it does with the instance: nothing below `help` goes on.
    unsafe { POOL.report_failure() };
}
