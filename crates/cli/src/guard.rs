//! Panics of other libraries on damaged files, as errors.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use multivec::{Error, Result};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a reader of a file that may be damaged. What it works on must not be
/// used after an error. Where it panics, nothing is printed.
pub(crate) fn guarded<T>(name: &str, read: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                print(info);
            }
        }));
    });
    IS_GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(read));
    IS_GUARDED.set(false);
    done.unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| cause.downcast_ref::<&str>().copied());
        let found = text.unwrap_or("one that its reader fails on");
        Err(Error::invalid_file(name, "a whole table", found))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_errors() {
        assert_eq!(guarded("file", || Ok(7)).expect("no panic"), 7);
        let at = [1].len() + 1;
        let error = guarded("file", || Ok([1, 2][at])).expect_err("a panic");
        let message = error.to_string();
        assert!(message.starts_with("file: expected a whole table, found index out of"));
        assert!(!IS_GUARDED.get());
    }
}
