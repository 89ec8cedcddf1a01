//! macOS on 64-bit ARM: type checks, as there is neither a linker nor an
//! emulator for it.

use std::fs;

use super::cross;
use crate::command::{Result, root, step};
use crate::setup;

const TRIPLE: &str = "aarch64-apple-darwin";

pub(super) fn run() -> Result {
    setup::rust_target(TRIPLE)?;
    let tools = root().join("xtask/platforms/stand-in.sh");
    fs::metadata(&tools).map_err(|error| format!("{}: {error}", tools.display()))?;
    step(
        "type checks for macOS",
        cross(TRIPLE)
            .args([
                "check",
                "--workspace",
                "--all-targets",
                "--exclude",
                "xtask",
            ])
            .args(["--features", "multivec/tract"])
            // Of C and assembly nothing is left to check.
            .env("CC_aarch64_apple_darwin", &tools)
            .env("AR_aarch64_apple_darwin", &tools)
            .env("SDKROOT", "/"),
    )
}
