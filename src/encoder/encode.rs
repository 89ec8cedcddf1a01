//! From texts to embeddings.

use super::heads::{EmbeddingHead, Head};
use super::run::EncodeJob;
use super::stream::EmbeddingStream;
use super::workers::{Share, Workers};
use super::{Call, TextEncoder};
use crate::config::TextKind;
use crate::error::{Error, Result};
use crate::model::ModelKind;
use crate::tokenize::TokenizedText;
use crate::trace::span;

/// Fewest bytes of text that are tokenized on several threads; with fewer,
/// starting the threads takes longer than they save.
const BYTES_FOR_THREADS: usize = 4 << 10;

impl<H: EmbeddingHead> TextEncoder<H> {
    /// Encodes queries; one result per text, in input order.
    ///
    /// # Errors
    /// As [`tokenize`](Self::tokenize), [`Error::NonFiniteVector`] if a vector
    /// is NaN or infinite, and [`Error::Inference`] if the engine fails.
    pub fn encode_queries<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<H::Output>> {
        self.encode(texts, TextKind::Query)
    }

    /// Encodes documents; one result per text, in input order. Multi-vectors
    /// are without the rows of skiplist words.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode_documents<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<H::Output>> {
        self.encode(texts, TextKind::Document)
    }

    /// Encodes one query.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode_query(&self, text: &str) -> Result<H::Output> {
        self.encode_one(text, TextKind::Query)
    }

    /// Encodes one document.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode_document(&self, text: &str) -> Result<H::Output> {
        self.encode_one(text, TextKind::Document)
    }

    /// Encodes texts of either kind.
    ///
    /// # Errors
    /// As [`encode_queries`](Self::encode_queries).
    pub fn encode<T: AsRef<str>>(&self, texts: &[T], kind: TextKind) -> Result<Vec<H::Output>> {
        self.encode_after(0, texts, kind)
    }

    /// Encodes texts of either kind, and fails them one by one: what is wrong
    /// with one of them, see [`Error::text`], leaves the others unaffected.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode) that are about no text.
    pub fn encode_each<T: AsRef<str>>(
        &self,
        texts: &[T],
        kind: TextKind,
    ) -> Result<Vec<Result<H::Output>>> {
        let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
        let call = Call {
            before: 0,
            texts: &texts,
            kind,
        };
        let mut workers = Workers::default();
        let texts = self.tokenize_call(call, &mut workers, |text| match text {
            Err(error) if error.text().is_none() => Err(error),
            text => Ok(text),
        })?;
        EncodeJob::of_each(self.clone(), texts, kind).finish_each_on(&mut workers)
    }

    /// Encodes documents while they are read, for corpora larger than memory:
    /// embeddings in input order, with at most 1024 texts read ahead.
    ///
    /// Errors state positions from the start of the stream.
    pub fn stream_documents<I>(&self, texts: I) -> EmbeddingStream<I::IntoIter, H>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.stream(texts, TextKind::Document)
    }

    /// As [`stream_documents`](Self::stream_documents), for either kind.
    pub fn stream<I>(&self, texts: I, kind: TextKind) -> EmbeddingStream<I::IntoIter, H>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        EmbeddingStream::new(self.clone(), texts.into_iter(), kind)
    }

    /// Tokenizes texts and plans their batches, to be run step by step.
    ///
    /// # Errors
    /// As [`tokenize`](Self::tokenize).
    pub fn start<T: AsRef<str>>(&self, texts: &[T], kind: TextKind) -> Result<EncodeJob<H>> {
        let texts = self.tokenize(texts, kind)?;
        Ok(EncodeJob::new(self.clone(), texts, kind))
    }

    /// Encodes a part of a stream, after `before` texts.
    pub(super) fn encode_part<T: AsRef<str>>(
        &self,
        texts: &[T],
        kind: TextKind,
        before: usize,
    ) -> Result<Vec<H::Output>> {
        let encoder = self.with_control(self.control.after(before));
        encoder.encode_after(before, texts, kind)
    }

    /// Encodes texts that come after `before` others.
    fn encode_after<T: AsRef<str>>(
        &self,
        before: usize,
        texts: &[T],
        kind: TextKind,
    ) -> Result<Vec<H::Output>> {
        let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
        let call = Call {
            before,
            texts: &texts,
            kind,
        };
        let mut workers = Workers::default();
        let texts = self.tokenize_call(call, &mut workers, |text| text)?;
        EncodeJob::new(self.clone(), texts, kind).finish_on(&mut workers)
    }

    fn encode_one(&self, text: &str, kind: TextKind) -> Result<H::Output> {
        let mut found = self.encode(&[text], kind)?;
        Ok(found.swap_remove(0))
    }

    /// Tokenizes texts as this encoder does before it encodes them.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] with
    /// [`TruncationPolicy::Error`](crate::tokenize::TruncationPolicy::Error),
    /// [`Error::Tokenization`] if the tokenizer fails, [`Error::Cancelled`] and
    /// [`Error::DeadlineExceeded`] as the encoder's
    /// [`Control`](super::Control) says.
    pub fn tokenize<T: AsRef<str>>(
        &self,
        texts: &[T],
        kind: TextKind,
    ) -> Result<Vec<TokenizedText>> {
        let texts: Vec<&str> = texts.iter().map(T::as_ref).collect();
        let call = Call {
            before: 0,
            texts: &texts,
            kind,
        };
        self.tokenize_call(call, &mut Workers::default(), |text| text)
    }

    /// Tokenizes the texts of a call, and passes each result to `each`, whose
    /// failures end the call.
    fn tokenize_call<T: Send>(
        &self,
        call: Call<'_>,
        workers: &mut Workers,
        each: impl Fn(Result<TokenizedText>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let Call {
            before,
            texts,
            kind,
        } = call;
        if self.kind() == ModelKind::CrossEncoder {
            return Err(self.other_input("single texts"));
        }
        let layout = self.plan.layout(kind);
        let bytes = texts.iter().map(|text| text.len()).sum();
        span!("tokenize", texts = texts.len(), bytes = bytes);
        let share = self.share_of_texts(texts.len(), bytes);
        workers.map(share, |at| {
            self.control.check(0)?;
            let tokenizer = &self.shared.tokenizer;
            each(tokenizer.tokenize(before + at, texts[at], layout))
        })
    }
}

impl<H: Head> TextEncoder<H> {
    /// An error for texts that a model of this kind does not take.
    pub(super) fn other_input(&self, texts: &str) -> Error {
        let expected = format_args!("a model that takes {texts}");
        let found = format_args!("a {} model", self.kind());
        Error::model_mismatch(&self.info().model_file, "kind", expected, found)
    }

    /// What may tokenize this many texts of this many bytes together.
    pub(super) fn share_of_texts(&self, count: usize, bytes: usize) -> Share<'_> {
        let scheduling = self.shared.backend.scheduling();
        let most = if bytes < BYTES_FOR_THREADS {
            1
        } else {
            scheduling.parallelism
        };
        Share {
            count,
            most,
            lent: scheduling.threads,
        }
    }
}
