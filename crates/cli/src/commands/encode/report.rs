//! What `multivec encode` prints in the end.

use std::time::Duration;

use multivec::{EmbeddingHead, TextEncoder};
use serde_json::{Value, json};

use super::arguments::Arguments;
use crate::console::{Format, print};
use crate::failure::Failure;
use crate::input::Skipped;
use crate::output::Totals;

pub(super) struct Report<'a, H: EmbeddingHead> {
    pub(super) arguments: &'a Arguments,
    pub(super) encoder: &'a TextEncoder<H>,
    pub(super) totals: Totals,
    /// The first of the texts that were left out.
    pub(super) skipped: Vec<Skipped>,
    /// Texts of earlier runs.
    pub(super) resumed: usize,
    /// Time that loading took.
    pub(super) load: Duration,
    /// Time spent encoding.
    pub(super) spent: Duration,
}

impl<H: EmbeddingHead> Report<'_, H> {
    pub(super) fn print(&self, format: Format) -> Result<(), Failure> {
        let info = self.encoder.info();
        let fingerprint = self.encoder.fingerprint();
        match format {
            Format::Json => print(
                &json!({
                    "origin": self.encoder.origin(),
                    "model": self.encoder.kind().to_string(),
                    "engine": info.engine,
                    "provider": info.provider,
                    "precision": info.precision.to_string(),
                    "texts": self.totals.texts,
                    "resumed": self.resumed,
                    "tokens": self.totals.tokens,
                    "truncated": self.totals.truncated,
                    "nulls": self.totals.nulls,
                    "skipped": self.totals.skipped,
                    "skipped_texts": self.skipped,
                    "load_ms": milliseconds(self.load),
                    "encode_ms": milliseconds(self.spent),
                    "fingerprint": {
                        "space": fingerprint.space(),
                        "computed": fingerprint.computed(),
                    },
                })
                .to_string(),
            )?,
            Format::Text => {
                print(&format!(
                    "{} texts ({} rows, {} truncated) in {:.1} s, after {:.1} s of loading, \
                     with {} on {} ({}), to {}",
                    self.totals.texts,
                    self.totals.tokens,
                    self.totals.truncated,
                    self.spent.as_secs_f64(),
                    self.load.as_secs_f64(),
                    info.engine,
                    info.provider,
                    info.precision,
                    self.arguments.output.display(),
                ))?;
                if self.totals.nulls > 0 {
                    print(&format!("{} texts are null", self.totals.nulls))?;
                }
                list(self.totals.skipped, &self.skipped)?;
            }
        }
        Ok(())
    }
}

/// Prints the texts that were left out.
fn list(count: usize, skipped: &[Skipped]) -> Result<(), Failure> {
    if count == 0 {
        return Ok(());
    }
    print(&format!("{count} skipped:"))?;
    for text in skipped {
        let id = match &text.id {
            Value::Null => String::new(),
            id => format!(" (id {id})"),
        };
        let file = text.file.iter();
        let file: String = file.map(|file| format!("{file}, ")).collect();
        print(&format!("  {file}line {}{id}: {}", text.line, text.reason))?;
    }
    if count > skipped.len() {
        print(&format!("  and {} more", count - skipped.len()))?;
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
