//! Panics and exhausted memory.
//!
//! Both leave the instance in an undefined state. The call that failed, and
//! every later one, throws an `Error` that says why.

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use wasm_bindgen::JsValue;

use super::error::{JsResult, new};

static PANIC: OnceLock<String> = OnceLock::new();
static OUT_OF_MEMORY: AtomicBool = AtomicBool::new(false);

#[global_allocator]
static ALLOCATOR: Reporting = Reporting;

/// Makes panics throw a JavaScript `Error` instead of a bare trap.
pub(super) fn install() {
    std::panic::set_hook(Box::new(report));
}

/// Refuses calls to an instance that has failed.
pub(super) fn check() -> JsResult<()> {
    let message = match PANIC.get() {
        Some(message) => message.as_str(),
        None if OUT_OF_MEMORY.load(Ordering::Relaxed) => "it ran out of memory",
        None => return Ok(()),
    };
    let message = format!("this instance failed and cannot be used any more: {message}");
    Err(new("panicked", &message))
}

fn report(info: &PanicHookInfo<'_>) {
    let message = info.to_string();
    // If a helper thread panicked first, its message is the cause.
    let error = match PANIC.get() {
        None if OUT_OF_MEMORY.load(Ordering::Relaxed) => out_of_memory(),
        first => new(
            "panicked",
            &format!("internal error: {}", first.unwrap_or(&message)),
        ),
    };
    let _ = PANIC.set(message);
    wasm_bindgen::throw_val(error);
}

fn out_of_memory() -> JsValue {
    new(
        "out_of_memory",
        "the WebAssembly memory cannot grow any further: \
         expected room for the model and a batch, found none",
    )
}

/// The system's allocator, except that a failure throws an error of its own
/// code, so that it is not taken for a bug.
struct Reporting;

// SAFETY: every call is forwarded to `System` unchanged; if it fails, control
// leaves the module by an exception, and no pointer is returned.
unsafe impl GlobalAlloc for Reporting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is `System`'s.
        checked(unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        checked(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        checked(unsafe { System.realloc(pointer, layout, size) })
    }
}

fn checked(pointer: *mut u8) -> *mut u8 {
    // A second failure, while the error is created, ends in a trap.
    if pointer.is_null() && !OUT_OF_MEMORY.swap(true, Ordering::Relaxed) {
        wasm_bindgen::throw_val(out_of_memory());
    }
    pointer
}
