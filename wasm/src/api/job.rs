//! An encoding in progress.

use std::cell::RefCell;

use multivec_core::encoder::AnyHead;
use multivec_core::{EncodeJob, Error};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::{JsResult, to_js};
use super::{health, results};

/// Encodes texts batch by batch, so that JavaScript can report progress or
/// abort in between.
#[wasm_bindgen]
pub struct WasmJob {
    /// Those of multi-vectors.
    texts: Vec<String>,
    /// How many there are.
    count: usize,
    /// Texts of the stream before these.
    before: usize,
    // After a panic, wasm-bindgen's own cell would refuse every call with a
    // message about aliasing, which hides what happened.
    job: RefCell<Option<EncodeJob<AnyHead>>>,
}

impl WasmJob {
    pub(super) fn new(job: EncodeJob<AnyHead>, texts: Vec<String>, before: usize) -> Self {
        Self {
            texts,
            count: job.texts(),
            before,
            job: RefCell::new(Some(job)),
        }
    }
}

#[wasm_bindgen]
impl WasmJob {
    /// Number of texts, or pairs.
    pub fn texts(&self) -> usize {
        self.count
    }

    /// Runs the next batch, or one a thread, and returns its number of texts;
    /// 0 when all are done.
    #[wasm_bindgen(js_name = runNext)]
    pub fn run_next(&self) -> JsResult<usize> {
        health::check()?;
        let mut job = self.job.borrow_mut();
        let done = job
            .as_mut()
            .ok_or_else(finished)
            .and_then(EncodeJob::run_round);
        done.map(Option::unwrap_or_default)
            .map_err(|error| to_js(error.after(self.before)))
    }

    /// Runs the remaining batches and returns the results of all texts.
    pub fn finish(&self) -> JsResult<JsValue> {
        health::check()?;
        let job = self.job.take().ok_or_else(finished);
        let outputs = job
            .and_then(EncodeJob::finish)
            .map_err(|error| to_js(error.after(self.before)))?;
        results::object_of(&self.texts, outputs)
    }
}

fn finished() -> Error {
    Error::option("job", "one that is not finished", "a finished one")
}
