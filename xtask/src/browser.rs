//! The browser of the tests and its driver.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::command::{Result, answers, on_path, program, target};
use crate::debian;

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
        debian::install(&["chromium", "chromium-driver"])?;
    }
    find().ok_or_else(|| {
        "expected `chromium` (or CHROMIUM_PATH) and `chromedriver` (or CHROMEDRIVER) of the same \
         version, found none; on Debian: apt-get install chromium chromium-driver"
            .to_owned()
    })
}

/// What the tests of the npm package run in beside Chromium: Firefox, and
/// `WebKit` on a display that nobody sees.
pub(crate) fn others() -> Result {
    let firefox = ["firefox-esr", "firefox"];
    let found = |variable: &str, names: &[&str]| {
        env::var_os(variable).is_some() || names.iter().any(|name| on_path(name).is_some())
    };
    let mut missing = Vec::new();
    if !found("FIREFOX_PATH", &firefox) {
        missing.push("firefox-esr");
    }
    if !found("WEBKIT_DRIVER", &["WebKitWebDriver"]) {
        missing.push("webkit2gtk-driver");
    }
    if !found("DISPLAY", &["Xvfb"]) {
        missing.push("xvfb");
    }
    debian::install(&missing)
}

impl Browser {
    /// A file that tells the driver what to start, with an option of the
    /// JavaScript engine or none.
    pub(crate) fn capabilities(&self, engine_option: Option<&str>) -> Result<PathBuf> {
        let name = engine_option.unwrap_or("default").trim_start_matches('-');
        let path = target().join(format!("browser/{name}.json"));
        let failed = |error| format!("{}: {error}", path.display());
        let mut arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-background-networking".to_owned(),
        ];
        arguments.extend(engine_option.map(|option| format!("--js-flags={option}")));
        // Quoted and escaped in the same way by Rust and JSON.
        let binary = self.chromium.to_string_lossy();
        let text = format!(
            "{{\"goog:chromeOptions\": {{\"binary\": {binary:?}, \"args\": {arguments:?}}}}}\n"
        );
        fs::create_dir_all(target().join("browser")).map_err(failed)?;
        fs::write(&path, text).map_err(failed)?;
        Ok(path)
    }
}

fn find() -> Option<Browser> {
    let named = |variable| env::var_os(variable).map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome"];
    Some(Browser {
        chromium: named("CHROMIUM_PATH").or_else(|| names.into_iter().find_map(on_path))?,
        driver: named("CHROMEDRIVER").or_else(|| on_path("chromedriver"))?,
    })
}
