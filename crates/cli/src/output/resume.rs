//! Starting a file, or resuming the one of an interrupted run.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{BufWriter, Seek, SeekFrom};

use multivec::Result;

use super::format::{Format, Target};
use super::journal::{Identity, Journal, Record, Totals};
use super::{Output, beside, hash};
use crate::console::io_error;
use crate::input::{Input, OnError, text_name};

impl Output {
    pub(super) fn resume(
        target: &Target<'_>,
        format: Format,
        identity: Identity,
        input: &mut Input,
    ) -> Result<Self> {
        let base = match format.parts() {
            Some(parts) => {
                parts.prepare(|base| beside(base, "journal").exists())?;
                parts.base()
            }
            None => target.path.to_owned(),
        };
        let path = base.as_path();
        let fail = |source| io_error(&path.display().to_string(), "writing", source);
        let partial_path = beside(path, "partial");
        let mut journal = Journal::open(&beside(path, "journal")).map_err(fail)?;
        let mut partial = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&partial_path)
            .map_err(fail)?;
        let kept = partial.metadata().map_err(fail)?.len();
        let found = journal.read(&identity, kept).map_err(fail)?;
        let totals = match found {
            Some(totals)
                if may_skip(&totals, input)
                    && format
                        .parts()
                        .is_none_or(|parts| parts.are_there(totals.parts))
                    && input.skip(&totals.input)? =>
            {
                totals
            }
            found => {
                if found.is_some() || kept > 0 {
                    eprintln!(
                        "note: {} is from another input, model or options, or is damaged: starting over",
                        partial_path.display()
                    );
                }
                if let Some(parts) = format.parts() {
                    parts.remove().map_err(fail)?;
                }
                journal.start(&identity).map_err(fail)?;
                Totals::default()
            }
        };
        let mut names = HashSet::new();
        journal
            .records(|record| {
                let texts = record.indices.iter().zip(&record.ids);
                names.extend(texts.map(|(&index, id)| hash(&text_name(index, id))));
                Ok(())
            })
            .map_err(fail)?;
        partial.set_len(totals.length).map_err(fail)?;
        partial.seek(SeekFrom::End(0)).map_err(fail)?;
        Ok(Self {
            path: base,
            format,
            identity,
            partial: BufWriter::new(partial),
            journal,
            open: Record::default(),
            totals,
            names,
        })
    }
}

/// Whether a run goes on after one that has left texts out.
fn may_skip(totals: &Totals, input: &Input) -> bool {
    totals.skipped == 0 || input.on_error() == OnError::Skip
}
