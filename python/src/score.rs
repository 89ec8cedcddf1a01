//! Scores of vectors that Python holds, read in place.

use std::thread::available_parallelism;

use multivec::{Embedding, Scorer, ThreadPool, fusion};
use multivec_arrow::EmbeddingArrays;
use multivec_arrow::arrow_schema::DataType;
use numpy::ndarray::{Array2, ArrayView2, Axis, Slice};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3_arrow::input::AnyArray;

use crate::error::{Raised, coded};

/// Multiply-adds from which it pays to start threads.
const WORTH_THREADS: usize = 1 << 26;

/// Rows of all documents, and offsets.
pub(crate) type Flat<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<i64>>);

/// Rows of a document, and products.
type Matches<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f32>>);

/// Documents as numpy arrays: one each, or rows of all with offsets.
#[derive(FromPyObject)]
pub(crate) enum Documents<'py> {
    Flat(PyReadonlyArray2<'py, f32>, PyReadonlyArray1<'py, i64>),
    Each(Vec<Bound<'py, PyArray2<f32>>>),
}

impl Documents<'_> {
    pub(crate) fn views(&self) -> PyResult<Vec<ArrayView2<'_, f32>>> {
        match self {
            // Not as `PyReadonlyArray`: each compares itself with all borrows of
            // the same base, and a list of views of one array is common.
            Self::Each(documents) => Ok(documents
                .iter()
                // SAFETY: this module never borrows an array for writing. That
                // nobody else writes during a call is for callers to see to, as
                // with any function of numpy that releases the lock.
                .map(|one| unsafe { one.as_array() })
                .collect()),
            Self::Flat(rows, offsets) => {
                let rows = rows.as_array();
                let offsets = offsets.as_array();
                let documents = offsets.len().saturating_sub(1);
                (0..documents)
                    .map(|at| part(rows, at, offsets[at], offsets[at + 1]))
                    .collect()
            }
        }
    }
}

/// The rows of document `at`.
fn part<'a>(
    rows: ArrayView2<'a, f32>,
    at: usize,
    start: i64,
    end: i64,
) -> PyResult<ArrayView2<'a, f32>> {
    let most = rows.nrows();
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(first), Ok(last)) if first <= last && last <= most => {
            Ok(rows.slice_axis_move(Axis(0), Slice::from(first..last)))
        }
        _ => Err(coded(
            "invalid_option",
            &format!(
                "option `offsets`: expected ascending numbers up to {most}, the number of rows, \
                 found {start} and {end} for document {at}"
            ),
        )),
    }
}

/// Multi-vectors of an Arrow array, as rows of all documents and offsets.
#[pyfunction]
pub(crate) fn flat_of_arrow<'py>(py: Python<'py>, documents: AnyArray) -> PyResult<Flat<'py>> {
    let (chunks, _) = documents.into_chunked_array()?.into_inner();
    let (mut values, mut offsets, mut dim) = (Vec::new(), vec![0], 0);
    for chunk in chunks {
        dim = columns(chunk.data_type())?;
        let arrays = EmbeddingArrays::new(chunk);
        for document in arrays.multi_vectors(dim).raised()?.iter() {
            let rows = document.as_ref().map_or(&[][..], Embedding::as_slice);
            values.extend_from_slice(rows);
            offsets.push((values.len() / dim.max(1)) as i64);
        }
    }
    let rows = values.len().checked_div(dim).unwrap_or(0);
    let matrix = Array2::from_shape_vec([rows, dim], values);
    let matrix = matrix.map_err(|error| coded("invalid_input", &error.to_string()))?;
    let matrix = PyArray2::from_owned_array(py, matrix);
    Ok((matrix, PyArray1::from_vec(py, offsets)))
}

/// The columns of the rows in an array of multi-vectors.
fn columns(found: &DataType) -> PyResult<usize> {
    if let DataType::List(item) | DataType::LargeList(item) = found
        && let DataType::FixedSizeList(_, columns) = item.data_type()
    {
        return Ok(usize::try_from(*columns).unwrap_or_default());
    }
    Err(coded(
        "invalid_input",
        &format!("documents: expected lists of lists of a fixed size, found {found}"),
    ))
}

/// The MaxSim score of each document.
#[pyfunction]
#[pyo3(signature = (query, documents, threads=None))]
pub(crate) fn max_sim<'py>(
    py: Python<'py>,
    query: PyReadonlyArray2<'py, f32>,
    documents: Documents<'py>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let views = documents.views()?;
    let query = query.as_array();
    let scores = py.detach(|| {
        let rows: usize = views.iter().map(ArrayView2::nrows).sum();
        let pool = pool(rows * query.len(), threads);
        let scorer = Scorer::new();
        match &pool {
            Some(pool) => scorer.with_threads(pool).max_sim_views(query, &views),
            None => scorer.max_sim_views(query, &views),
        }
    });
    Ok(PyArray1::from_vec(py, scores.raised()?))
}

/// Threads for this many multiply-adds: those that are asked for, or all cores
/// if they pay. They live as long as a call, since none survives a fork.
pub(crate) fn pool(products: usize, threads: Option<usize>) -> Option<ThreadPool> {
    let worthwhile = products >= WORTH_THREADS;
    let all = || available_parallelism().map_or(1, usize::from);
    let count = threads.unwrap_or_else(|| if worthwhile { all() } else { 1 });
    if count < 2 {
        return None;
    }
    let mut pool = ThreadPool::default();
    // Where the system refuses a thread, those that started do the work.
    drop(pool.grow_to(count));
    Some(pool)
}

/// For each query row the best row of a document (-1 for none), and its product.
#[pyfunction]
pub(crate) fn matches<'py>(
    py: Python<'py>,
    query: PyReadonlyArray2<'py, f32>,
    document: PyReadonlyArray2<'py, f32>,
) -> PyResult<Matches<'py>> {
    let (query, document) = (copied(&query)?, copied(&document)?);
    let found = py
        .detach(|| multivec::matches(&query, &document))
        .raised()?;
    let row = |row: Option<usize>| row.and_then(|row| i64::try_from(row).ok()).unwrap_or(-1);
    let rows = found.iter().map(|found| row(found.row)).collect();
    let scores = found.iter().map(|found| found.score).collect();
    Ok((PyArray1::from_vec(py, rows), PyArray1::from_vec(py, scores)))
}

/// The products of all query rows with all document rows.
#[pyfunction]
pub(crate) fn similarity<'py>(
    py: Python<'py>,
    query: PyReadonlyArray2<'py, f32>,
    document: PyReadonlyArray2<'py, f32>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let (query, document) = (copied(&query)?, copied(&document)?);
    let found = py.detach(|| multivec::similarity(&query, &document));
    Ok(PyArray2::from_owned_array(py, found.raised()?))
}

/// One ranking of several, as documents with their scores, the best first.
#[pyfunction]
pub(crate) fn reciprocal_rank_fusion(rankings: Vec<Vec<usize>>, offset: f32) -> Vec<(usize, f32)> {
    let rankings = rankings.iter().map(Vec::as_slice);
    let found = fusion::reciprocal_rank_fusion(rankings, offset);
    found.iter().map(|one| (one.index, one.score)).collect()
}

/// Vectors that Python holds, copied.
pub(crate) fn copied(rows: &PyReadonlyArray2<'_, f32>) -> PyResult<Embedding> {
    let rows = rows.as_array();
    Embedding::from_rows(rows.iter().copied().collect(), rows.ncols()).raised()
}
