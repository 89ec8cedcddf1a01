//! What a call gives, in the forms that Python asks for.

use std::sync::{Mutex, PoisonError};

use multivec::corpus::VectorPrecision;
use multivec::{AnyHead, AnyOutput, Embedding as Multi, Error, ModelKind, TextEncoder};
use multivec_arrow::{DenseBuilder, EmbeddingArrays, MultiVectorBuilder, SparseBuilder};
use numpy::ndarray::Array2;
use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use pyo3_arrow::PyArray as ArrowArray;

use crate::corpus::precision;
use crate::embedding::Embedding;
use crate::error::{coded, raise};
use crate::score::Flat;
use crate::texts::Texts;

/// Indices, values, and where each text begins among them.
type Sparse<'py> = (
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<i64>>,
);

/// A dense vector, the indices and the values of a sparse one, a multi-vector.
type Hybrid<'py> = (
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray2<f32>>,
);

/// The outputs of a call, one for each text; none for a null.
#[pyclass(frozen)]
pub(crate) struct Embeddings {
    kind: ModelKind,
    dim: usize,
    outputs: Mutex<Vec<Option<AnyOutput>>>,
    truncated: Vec<Option<bool>>,
    /// What tokens are places in.
    texts: Texts,
}

impl Embeddings {
    pub(crate) fn new(
        encoder: &TextEncoder<AnyHead>,
        outputs: Vec<Option<AnyOutput>>,
        texts: Texts,
    ) -> Self {
        let truncated = outputs.iter().map(|output| {
            let truncation = match output.as_ref()? {
                AnyOutput::MultiVector(found) => found.truncation(),
                AnyOutput::Dense(found) => found.truncation,
                AnyOutput::Sparse(found) => found.truncation,
                AnyOutput::Hybrid(found) => found.multi_vector.truncation(),
                _ => None,
            };
            truncation.map(|found| found.is_truncated())
        });
        Self {
            kind: encoder.kind(),
            dim: encoder.dim(),
            truncated: truncated.collect(),
            outputs: Mutex::new(outputs),
            texts,
        }
    }

    /// The outputs, which are gone afterwards: their vectors become those of
    /// numpy arrays without a copy.
    fn take(&self) -> Vec<Option<AnyOutput>> {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *outputs)
    }

    fn multi_vectors(&self) -> PyResult<Vec<Option<Multi>>> {
        let outputs = self.take().into_iter();
        outputs
            .map(|output| match output {
                None => Ok(None),
                Some(AnyOutput::MultiVector(found)) => Ok(Some(found)),
                Some(_) => Err(self.other("multi-vector")),
            })
            .collect()
    }

    fn other(&self, expected: &str) -> PyErr {
        let message = format!("expected a {expected} model, found a {} model", self.kind);
        coded("model_mismatch", &message)
    }
}

#[pymethods]
impl Embeddings {
    fn __len__(&self) -> usize {
        self.truncated.len()
    }

    /// Whether each text was cut off; none for a null.
    fn truncated(&self) -> Vec<Option<bool>> {
        self.truncated.clone()
    }

    /// Multi-vectors, `[tokens, dim]` each.
    fn take_arrays<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Vec<Option<Bound<'py, PyArray2<f32>>>>> {
        let found = self.multi_vectors()?.into_iter();
        let array = |one: Multi| PyArray2::from_owned_array(py, one.into_matrix());
        Ok(found.map(|one| one.map(array)).collect())
    }

    /// Multi-vectors with their tokens.
    fn take_embeddings(&self) -> PyResult<Vec<Option<Embedding>>> {
        let found = self.multi_vectors()?.into_iter().zip(self.texts.read()?);
        let embedding = |(one, text): (Option<Multi>, Option<&str>)| {
            one.map(|one| Embedding::new(one, text.unwrap_or_default().to_owned()))
        };
        Ok(found.map(embedding).collect())
    }

    /// Multi-vectors as the rows of all texts; a null has none.
    fn take_flat<'py>(&self, py: Python<'py>) -> PyResult<Flat<'py>> {
        let found = self.multi_vectors()?;
        let rows: usize = found.iter().flatten().map(Multi::tokens).sum();
        let mut values = Vec::with_capacity(rows * self.dim);
        let mut offsets = vec![0];
        let mut end = 0;
        for one in found {
            if let Some(one) = one {
                values.extend_from_slice(one.as_slice());
                end += one.tokens();
            }
            offsets.push(end as i64);
        }
        let matrix = matrix(py, values, [rows, self.dim])?;
        Ok((matrix, PyArray1::from_vec(py, offsets)))
    }

    /// Dense vectors, `[texts, dim]`; the row of a null is NaN.
    fn take_matrix<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let mut values = Vec::with_capacity(self.truncated.len() * self.dim);
        for output in self.take() {
            match output {
                Some(AnyOutput::Dense(found)) => values.extend(found.values),
                None => values.extend(std::iter::repeat_n(f32::NAN, self.dim)),
                Some(_) => return Err(self.other("dense")),
            }
        }
        matrix(py, values, [self.truncated.len(), self.dim])
    }

    /// Sparse vectors; a null has no weights.
    fn take_sparse<'py>(&self, py: Python<'py>) -> PyResult<Sparse<'py>> {
        let (mut indices, mut values, mut offsets) = (Vec::new(), Vec::new(), vec![0]);
        for output in self.take() {
            match output {
                Some(AnyOutput::Sparse(found)) => {
                    indices.extend(found.indices);
                    values.extend(found.values);
                }
                None => {}
                Some(_) => return Err(self.other("sparse")),
            }
            offsets.push(values.len() as i64);
        }
        Ok((
            PyArray1::from_vec(py, indices),
            PyArray1::from_vec(py, values),
            PyArray1::from_vec(py, offsets),
        ))
    }

    /// Dense, sparse and multi-vectors of models of several kinds: the vector,
    /// indices and values, and `[tokens, dim]`.
    fn take_hybrid<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Hybrid<'py>>>> {
        let outputs = self.take().into_iter();
        outputs
            .map(|output| match output {
                None => Ok(None),
                Some(AnyOutput::Hybrid(found)) => Ok(Some((
                    PyArray1::from_vec(py, found.dense.values),
                    PyArray1::from_vec(py, found.sparse.indices),
                    PyArray1::from_vec(py, found.sparse.values),
                    PyArray2::from_owned_array(py, found.multi_vector.into_matrix()),
                ))),
                Some(_) => Err(self.other("hybrid")),
            })
            .collect()
    }

    /// Arrow arrays by their names, the first of them `name`; those of INT8 have
    /// another one with scales.
    fn take_arrow(
        &self,
        py: Python<'_>,
        name: &str,
        dtype: &str,
    ) -> PyResult<Vec<(String, ArrowArray)>> {
        let precision = precision(dtype)?;
        let arrays = py.detach(|| {
            let outputs = self.take();
            arrays(self.kind, self.dim, precision, outputs)
        });
        let arrays = arrays.map_err(raise)?;
        let columns = arrays.columns(name).into_iter();
        columns
            .map(|(field, array)| {
                let name = field.name().clone();
                let array = ArrowArray::try_new(array, field.into());
                let array = array.map_err(|error| coded("invalid_input", &error.to_string()))?;
                Ok((name, array))
            })
            .collect()
    }
}

fn arrays(
    kind: ModelKind,
    dim: usize,
    precision: VectorPrecision,
    outputs: Vec<Option<AnyOutput>>,
) -> multivec::Result<EmbeddingArrays> {
    match kind {
        ModelKind::Sparse => {
            let mut builder = SparseBuilder::new();
            for output in outputs {
                match output {
                    Some(AnyOutput::Sparse(found)) => builder.push(&found)?,
                    _ => builder.push_null(),
                }
            }
            builder.finish()
        }
        ModelKind::Dense => {
            let mut builder = DenseBuilder::new(dim, precision)?;
            for output in outputs {
                match output {
                    Some(AnyOutput::Dense(found)) => builder.push(&found)?,
                    _ => builder.push_null(),
                }
            }
            builder.finish()
        }
        ModelKind::MultiVector => {
            let mut builder = MultiVectorBuilder::new(dim, precision)?;
            for output in outputs {
                match output {
                    Some(AnyOutput::MultiVector(found)) => builder.push(&found)?,
                    _ => builder.push_null(),
                }
            }
            builder.finish()
        }
        other => Err(Error::option(
            "output",
            "one other than Arrow, which has a column for each text's only embedding",
            format_args!("a {other} model"),
        )),
    }
}

fn matrix<'py>(
    py: Python<'py>,
    values: Vec<f32>,
    shape: [usize; 2],
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let matrix = Array2::from_shape_vec(shape, values);
    let matrix = matrix.map_err(|error| coded("inference", &error.to_string()))?;
    Ok(PyArray2::from_owned_array(py, matrix))
}
