//! The browser of the tests and its driver.

use std::env;
use std::path::PathBuf;

use crate::command::{Result, answers, on_path, program, step};

/// A browser and its driver. Both are looked for on the `PATH`, and installed
/// where that needs no more than Debian's own packages.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

pub(crate) fn browser() -> Result<Browser> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if answers(program("apt-get").arg("--version")) {
        step("package lists", program("apt-get").args(["update", "-qq"]))?;
        step(
            "Chromium and its driver",
            program("apt-get").args(["install", "-y", "-qq", "chromium", "chromium-driver"]),
        )?;
    }
    find().ok_or_else(|| {
        "expected `chromium` (or CHROMIUM_PATH) and `chromedriver` (or CHROMEDRIVER) of the same \
         version, found none; on Debian: apt-get install chromium chromium-driver"
            .to_owned()
    })
}

fn find() -> Option<Browser> {
    let named = |variable| env::var_os(variable).map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome"];
    Some(Browser {
        chromium: named("CHROMIUM_PATH").or_else(|| names.into_iter().find_map(on_path))?,
        driver: named("CHROMEDRIVER").or_else(|| on_path("chromedriver"))?,
    })
}
