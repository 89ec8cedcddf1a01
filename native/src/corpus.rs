//! Corpora in files.
//!
//! ```no_run
//! use multivec::corpus::{self, CorpusSpace, SearchOptions, VectorPrecision};
//! use multivec::EncoderBuilder;
//!
//! let encoder = EncoderBuilder::from_dir("models/minilm-colbert").build()?;
//! let space = CorpusSpace::new(encoder.dim())
//!     .with_precision(VectorPrecision::Int8)
//!     .with_space(encoder.fingerprint().space());
//! let mut file = corpus::create("texts.corpus", space)?;
//! for (id, text) in [("a", "Paris is in France."), ("b", "Bees make honey.")] {
//!     file.push(id, &encoder.encode_document(text)?)?;
//! }
//! file.finish()?;
//!
//! let corpus = corpus::open("texts.corpus")?;
//! corpus.check_space(encoder.fingerprint())?;
//! for found in corpus.search(&encoder.encode_query("Where is Paris?")?, 10)? {
//!     println!("{:?} {:.2}", corpus.id(found.index), found.score);
//! }
//! # Ok::<(), multivec::Error>(())
//! ```

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::Path;

use memmap2::Mmap;
pub use multivec_core::corpus::{
    Corpus, CorpusSpace, CorpusWriter, SearchOptions, VectorPrecision,
};

use crate::{Error, Result};

/// Opens a corpus: reads the tables of its documents, and maps its vectors, which
/// the system reads when they are searched, and drops where memory is short.
///
/// The file must not become shorter, nor its vectors be written to, while the
/// corpus is in use; documents may be appended to it, which this corpus does not
/// see.
///
/// # Errors
/// [`Error::Io`], and [`Error::InvalidFile`] if it is not a whole corpus.
pub fn open(path: impl AsRef<Path>) -> Result<Corpus> {
    let path = path.as_ref();
    let fail = |source| Error::io(path.display(), "reading", source);
    let file = File::open(path).map_err(fail)?;
    // SAFETY: the file is read only. That nothing else shortens it or writes to
    // what is mapped is required above.
    let mapped = unsafe { Mmap::map(&file) }.map_err(fail)?;
    Corpus::parse(path.display().to_string(), mapped)
}

/// Starts a corpus in a new file, or one that is written over.
///
/// # Errors
/// Those of [`CorpusWriter::new`], and [`Error::Io`].
pub fn create(path: impl AsRef<Path>, space: CorpusSpace) -> Result<CorpusWriter<BufWriter<File>>> {
    let path = path.as_ref();
    let file = File::create(path).map_err(|source| Error::io(path.display(), "writing", source))?;
    CorpusWriter::new(BufWriter::new(file), space)
}

/// Continues a corpus. Where that is interrupted, the file is refused with the
/// place at which the part that was begun starts.
///
/// # Errors
/// Those of [`open`].
pub fn append(path: impl AsRef<Path>) -> Result<CorpusWriter<BufWriter<File>>> {
    let path = path.as_ref();
    let corpus = open(path)?;
    let file = OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(|source| Error::io(path.display(), "writing", source))?;
    Ok(CorpusWriter::continuing(&corpus, BufWriter::new(file)))
}
