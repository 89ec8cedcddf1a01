//! Chunk by chunk, from the input to the output.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use multivec::{EmbeddingHead, Error, TextEncoder, TextKind};

use crate::failure::Failure;
use crate::input::{Chunk, Input, InputText, OnError};
use crate::output::{Output, Stored};

/// A run in progress.
pub(super) struct Run<'a, H: EmbeddingHead> {
    pub(super) encoder: &'a TextEncoder<H>,
    pub(super) kind: TextKind,
    pub(super) input: Input,
    pub(super) output: Output,
    /// Time spent encoding.
    pub(super) spent: Duration,
}

impl<H: EmbeddingHead<Output: Stored>> Run<'_, H> {
    pub(super) fn encode_all(&mut self, bar: &ProgressBar) -> Result<(), Failure> {
        loop {
            if self.input.size().is_some() {
                bar.set_position(self.input.bytes());
            }
            let chunk = self.input.read_chunk()?;
            if chunk.is_empty() {
                return Ok(());
            }
            self.encode(chunk)?;
            self.output.commit(&self.input)?;
        }
    }

    fn encode(&mut self, chunk: Chunk) -> Result<(), Failure> {
        let Chunk {
            texts,
            nulls,
            mut skipped,
            kept,
        } = chunk;
        self.output.start_chunk(kept);
        let start = Instant::now();
        let plain: Vec<&str> = texts.iter().map(|line| line.text.as_str()).collect();
        let embeddings = self.encoder.encode_each(&plain, self.kind)?;
        self.spent += start.elapsed();
        let mut nulls = nulls.iter().peekable();
        for (at, (text, embedding)) in texts.iter().zip(embeddings).enumerate() {
            while let Some(null) = nulls.next_if(|null| null.index < text.index) {
                self.output.write_null(null)?;
            }
            match embedding {
                Ok(embedding) => {
                    let written = self.output.write(text, &embedding);
                    written.map_err(|error| self.at(text, error))?;
                }
                Err(error) => {
                    // Positions count from the start of the input.
                    let error = error.after(text.index - at);
                    if self.input.on_error() == OnError::Fail {
                        return Err(self.at(text, error));
                    }
                    skipped.push(self.input.skipped(text, &error));
                }
            }
        }
        for null in nulls {
            self.output.write_null(null)?;
        }
        self.output.skip(skipped);
        Ok(())
    }

    fn at(&self, text: &InputText, error: Error) -> Failure {
        Failure::at(self.input.place(text), error)
    }
}
