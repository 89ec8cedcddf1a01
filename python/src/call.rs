//! Calls that release the interpreter's lock, and listen to signals.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use multivec::{Cancellation, Control, Result};
use pyo3::prelude::*;

use crate::error::Raised;

/// Runs `work` without the interpreter's lock. After each batch that the calling
/// thread has run, `progress` is called with the texts done and the texts of the
/// call, and signals are handled; what either raises ends the call.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(Control) -> Result<T> + Send,
) -> PyResult<T> {
    let cancellation = Cancellation::new();
    let raised: Arc<Mutex<Option<PyErr>>> = Arc::default();
    let caller = thread::current().id();
    let control = Control::new().with_cancellation(&cancellation);
    let (switch, slot) = (cancellation.clone(), raised.clone());
    let control = control.with_progress(move |report| {
        if thread::current().id() != caller {
            return;
        }
        let outcome = Python::attach(|py| -> PyResult<()> {
            py.check_signals()?;
            if let Some(progress) = &progress {
                progress.call1(py, (report.done, report.total))?;
            }
            Ok(())
        });
        if let Err(error) = outcome {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.get_or_insert(error);
            switch.cancel();
        }
    });
    let result = py.detach(move || work(control));
    let mut raised = raised.lock().unwrap_or_else(PoisonError::into_inner);
    match raised.take() {
        Some(error) => Err(error),
        None => result.raised(),
    }
}
