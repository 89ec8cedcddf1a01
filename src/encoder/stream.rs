//! Encoding corpora larger than memory.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;

use crate::config::TextKind;
use crate::error::Result;

use super::TextEncoder;
use super::heads::{EmbeddingHead, MultiVector};

/// Texts that are read ahead by default, enough for batches of equal length.
const READ_AHEAD: usize = 1024;

/// Reading ahead also ends after this many bytes, to bound memory for long
/// texts.
const READ_AHEAD_BYTES: usize = 1 << 20;

/// Embeddings in input order of texts that are read on demand. Made by
/// [`TextEncoder::stream_documents`](super::TextEncoder::stream_documents) and
/// [`TextEncoder::stream`](super::TextEncoder::stream).
///
/// It holds at most the texts and embeddings of one read-ahead. After an error
/// it ends.
pub struct EmbeddingStream<I, H: EmbeddingHead = MultiVector> {
    encoder: TextEncoder<H>,
    kind: TextKind,
    texts: I,
    read_ahead: usize,
    ready: VecDeque<H::Output>,
    /// Texts read so far.
    read: usize,
    is_over: bool,
}

impl<I, H: EmbeddingHead> EmbeddingStream<I, H>
where
    I: Iterator,
    I::Item: AsRef<str>,
{
    pub(super) fn new(encoder: TextEncoder<H>, texts: I, kind: TextKind) -> Self {
        Self {
            encoder,
            kind,
            texts,
            read_ahead: READ_AHEAD,
            ready: VecDeque::new(),
            read: 0,
            is_over: false,
        }
    }

    /// Reads up to this many texts ahead: 1024 by default, at least 1. Fewer
    /// need less memory and give the first embedding sooner, more need less
    /// padding.
    #[must_use]
    pub fn with_read_ahead(mut self, texts: usize) -> Self {
        self.read_ahead = texts.max(1);
        self
    }

    /// Reads the next texts and encodes them.
    fn refill(&mut self) -> Result<()> {
        let (mut texts, mut bytes) = (Vec::new(), 0);
        while texts.len() < self.read_ahead && bytes < READ_AHEAD_BYTES {
            let Some(text) = self.texts.next() else {
                self.is_over = true;
                break;
            };
            bytes += text.as_ref().len();
            texts.push(text);
        }
        let before = self.read;
        self.read += texts.len();
        self.ready = self.encoder.encode_part(&texts, self.kind, before)?.into();
        Ok(())
    }
}

impl<I, H: EmbeddingHead> Iterator for EmbeddingStream<I, H>
where
    I: Iterator,
    I::Item: AsRef<str>,
{
    type Item = Result<H::Output>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && !self.is_over
            && let Err(error) = self.refill()
        {
            self.is_over = true;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

impl<I, H: EmbeddingHead> FusedIterator for EmbeddingStream<I, H>
where
    I: Iterator,
    I::Item: AsRef<str>,
{
}

impl<I, H: EmbeddingHead> fmt::Debug for EmbeddingStream<I, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingStream")
            .field("kind", &self.kind)
            .field("read", &self.read)
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}
