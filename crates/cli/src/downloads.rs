//! What downloads show on stderr: bars on a terminal, and notices.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use multivec::hub::{HubEvent, HubOptions};

/// Smaller files come without a bar.
const SMALLEST: u64 = 1 << 20;

/// Options of a hub whose events are shown.
pub(crate) fn options() -> HubOptions {
    let downloads = Downloads::default();
    HubOptions::default().with_listener(move |event| downloads.show(event))
}

#[derive(Default)]
struct Downloads {
    /// Hidden unless stderr is a terminal.
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Downloads {
    fn show(&self, event: &HubEvent<'_>) {
        match event {
            HubEvent::Progress { file, done, of, .. } => self.progress(file, *done, *of),
            HubEvent::Locked { file, .. } => {
                self.note(&format!("another process downloads {file}; waiting for it"));
            }
            HubEvent::Waiting { reason, delay, .. } => {
                let seconds = delay.as_secs_f64();
                self.note(&format!(
                    "the hub answers {reason}; asking again in {seconds:.1} s"
                ));
            }
            HubEvent::Unreachable { reason, origin, .. } => {
                self.note(&format!(
                    "the hub cannot be reached, so that {origin} is loaded from the cache: {reason}"
                ));
            }
            _ => {}
        }
    }

    fn progress(&self, file: &str, done: u64, of: Option<u64>) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if Some(done) == of {
            if let Some(bar) = bars.remove(file) {
                bar.finish_and_clear();
            }
        } else if let Some(bar) = bars.get(file) {
            bar.set_position(done);
        } else if of.is_none_or(|of| of >= SMALLEST) {
            let bar = self.all.add(bar(of)).with_message(file.to_owned());
            bar.set_position(done);
            bars.insert(file.to_owned(), bar);
        }
    }

    fn note(&self, text: &str) {
        self.all.suspend(|| eprintln!("note: {text}"));
    }
}

fn bar(of: Option<u64>) -> ProgressBar {
    let (bar, template) = match of {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{msg} {bar:40} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{msg} {spinner} {bytes}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
