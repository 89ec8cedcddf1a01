//! ONNX Runtime's telemetry, turned off.
//!
//! From version 1.29 on, the library collects usage data on Linux and macOS
//! and sends it to its maker, from the moment its environment is made:
//! `DisableTelemetryEvents` of its API comes too late. The variable here is
//! read first.

use std::env;
use std::sync::Once;

pub(super) const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Sets the variable in this process's environment, once, unless the
/// application has set it, to whatever value. To be called before a library
/// is opened.
pub(super) fn turn_off() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if env::var_os(VARIABLE).is_none() {
            // SAFETY: no other thread may read or change the environment
            // except through `std::env`, whose lock this call takes as well.
            // This crate keeps to that; that no other code calls `getenv` or
            // `setenv` of the C library meanwhile is up to the application,
            // and `OnnxRuntime::load` says so. On Windows there is no risk.
            unsafe { env::set_var(VARIABLE, "1") };
        }
    });
}
