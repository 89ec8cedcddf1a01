//! Corpora in memory or in mapped files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use multivec::corpus::{
    Corpus as Stored, CorpusSpace, CorpusWriter, SearchOptions, VectorPrecision,
};
use multivec::{Embedding, Error, Ranked};
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;
use tempfile::NamedTempFile;

use crate::error::{Raised, coded, option, raise};
use crate::score::{Documents, copied, pool};

/// Documents' vectors, in one of four precisions.
#[pyclass(frozen)]
pub(crate) struct Corpus {
    stored: Stored,
}

/// Positions and scores, the best first.
type Hits = Vec<(usize, f32)>;

#[pymethods]
impl Corpus {
    /// Stores documents, `[rows, dim]` each.
    #[staticmethod]
    fn of(
        documents: Documents<'_>,
        ids: Option<Vec<String>>,
        dtype: &str,
        space: Option<String>,
    ) -> PyResult<Self> {
        let views = documents.views()?;
        let dim = views.iter().find(|one| one.nrows() > 0);
        let dim = dim.or(views.first()).map_or(1, |one| one.ncols());
        let mut of = CorpusSpace::new(dim).with_precision(precision(dtype)?);
        if let Some(space) = space {
            of = of.with_space(space);
        }
        if let Some(ids) = &ids
            && ids.len() != views.len()
        {
            let expected = format!("{}, one for each document", views.len());
            return Err(option("ids", expected, ids.len()));
        }
        let mut writer = CorpusWriter::new(Vec::new(), of).raised()?;
        for (at, view) in views.iter().enumerate() {
            let number = at.to_string();
            let id = ids.as_ref().map_or(&number, |ids| &ids[at]);
            let values: Vec<f32> = view.iter().copied().collect();
            let document = Embedding::from_rows(values, view.ncols()).raised()?;
            writer.push(id, &document).raised()?;
        }
        let bytes = writer.finish().raised()?;
        Ok(Self {
            stored: Stored::parse("corpus in memory", bytes).raised()?,
        })
    }

    /// Opens a file.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let stored = py.detach(|| multivec::corpus::open(path)).raised()?;
        Ok(Self { stored })
    }

    /// Writes a file. It replaces another one of that name when it is whole: the
    /// old one may be the one that this corpus is mapped from.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let written = py.detach(|| write(&path, self.stored.parts()));
        written.map_err(|source| coded("io", &format!("{}: {source}", path.display())))
    }

    fn __len__(&self) -> usize {
        self.stored.len()
    }

    fn rows(&self) -> usize {
        self.stored.rows()
    }

    fn dim(&self) -> usize {
        self.stored.space().dim
    }

    fn dtype(&self) -> &'static str {
        match self.stored.space().precision {
            VectorPrecision::F32 => "float32",
            VectorPrecision::F16 => "float16",
            other => other.name(),
        }
    }

    fn space(&self) -> &str {
        &self.stored.space().space
    }

    fn bytes(&self) -> usize {
        self.stored.parts().map(<[u8]>::len).sum()
    }

    fn id(&self, document: usize) -> Option<&str> {
        self.stored.id(document)
    }

    fn positions(&self, ids: Vec<String>) -> Vec<usize> {
        self.stored.positions(ids.iter().map(String::as_str))
    }

    /// Refuses queries of another space.
    fn check_space(&self, space: &str) -> PyResult<()> {
        let expected = &self.stored.space().space;
        if space == expected {
            return Ok(());
        }
        Err(raise(Error::fingerprint_mismatch(expected, space)))
    }

    /// The best `k` documents for each query, among all or among some.
    #[pyo3(signature = (queries, k, among=None, threads=None))]
    fn search(
        &self,
        py: Python<'_>,
        queries: Vec<PyReadonlyArray2<'_, f32>>,
        k: usize,
        among: Option<Vec<usize>>,
        threads: Option<usize>,
    ) -> PyResult<Vec<Hits>> {
        let queries = queries.iter().map(copied).collect::<PyResult<Vec<_>>>()?;
        let found = py.detach(|| {
            let rows: usize = queries.iter().map(Embedding::tokens).sum();
            let products = rows * self.stored.rows() * self.stored.space().dim;
            let pool = pool(products, threads);
            let mut options = SearchOptions::new(k);
            if let Some(pool) = &pool {
                options = options.with_threads(pool);
            }
            if let Some(among) = &among {
                options = options.among(among);
            }
            self.stored.search_many(&queries, &options)
        });
        let hits = |found: Vec<Ranked>| found.iter().map(|one| (one.index, one.score)).collect();
        Ok(found.raised()?.into_iter().map(hits).collect())
    }
}

fn write<'a>(path: &Path, parts: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    for part in parts {
        file.write_all(part)?;
    }
    file.persist(path)?;
    Ok(())
}

/// A precision by the name that numpy has for its numbers.
pub(crate) fn precision(dtype: &str) -> PyResult<VectorPrecision> {
    match dtype {
        "float32" => Ok(VectorPrecision::F32),
        "float16" => Ok(VectorPrecision::F16),
        "int8" => Ok(VectorPrecision::Int8),
        "bits" => Ok(VectorPrecision::Bits),
        other => Err(option(
            "dtype",
            "`float32`, `float16`, `int8` or `bits`",
            format_args!("`{other}`"),
        )),
    }
}
