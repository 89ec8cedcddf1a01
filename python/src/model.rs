//! A loaded model, of any kind.

use multivec::{AnyHead, AnyOutput, EncodeOptions, TextEncoder, TextKind, TextPair};
use numpy::PyArray2;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::call;
use crate::embeddings::Embeddings;
use crate::error::{Raised, coded};
use crate::options::{Load, parse};
use crate::process::Loaded;
use crate::texts::Texts;
use crate::tokens::{TokenizedTuple, tokenized};

/// Logits and scores.
type Scores<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<f32>>);

/// What is not a null, and its place among all texts.
struct Present<'a> {
    texts: Vec<&'a str>,
    places: Vec<usize>,
}

impl<'a> Present<'a> {
    fn of(texts: &[Option<&'a str>]) -> Self {
        let present = texts.iter().enumerate();
        let (places, texts) = present
            .filter_map(|(place, text)| Some((place, (*text)?)))
            .unzip();
        Self { texts, places }
    }
}

/// A model that encodes texts, or scores pairs of them.
#[pyclass(frozen)]
pub(crate) struct Model {
    encoder: TextEncoder<AnyHead>,
    loaded: Loaded,
}

#[pymethods]
impl Model {
    /// Loads the model in a folder, or one of a hub by its id.
    #[staticmethod]
    fn load(py: Python<'_>, model: &str, options: &str) -> PyResult<Self> {
        let options: Load = parse(options)?;
        let builder = options.builder(model);
        let encoder = py.detach(|| builder.build_as::<AnyHead>()).raised()?;
        Ok(Self {
            encoder,
            loaded: Loaded::here(),
        })
    }

    /// What the model is and how it runs, as a JSON object.
    fn facts(&self) -> String {
        multivec::facts(&self.encoder).to_string()
    }

    fn kind(&self) -> String {
        self.encoder.kind().to_string()
    }

    fn dim(&self) -> usize {
        self.encoder.dim()
    }

    /// Identities of the embedding space, and of what computes it.
    fn fingerprint(&self) -> (String, String) {
        let found = self.encoder.fingerprint();
        (found.space().to_owned(), found.computed().to_owned())
    }

    /// Refuses the fingerprint of another space.
    fn check_space(&self, stored: &str) -> PyResult<()> {
        self.encoder.fingerprint().check_space(stored).raised()
    }

    /// Encodes texts.
    #[pyo3(signature = (texts, kind, options, progress=None))]
    fn encode(
        &self,
        py: Python<'_>,
        texts: Texts,
        kind: &str,
        options: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Embeddings> {
        let encoder = self.ready(options)?;
        let kind = text_kind(kind)?;
        let read = texts.read()?;
        let present = Present::of(&read);
        let found = call::run(py, progress, |control| {
            encoder.with_control(control).encode(&present.texts, kind)
        })?;
        let mut outputs: Vec<Option<AnyOutput>> = read.iter().map(|_| None).collect();
        for (place, output) in present.places.into_iter().zip(found) {
            outputs[place] = Some(output);
        }
        drop(read);
        Ok(Embeddings::new(&encoder, outputs, texts))
    }

    /// Scores pairs: logits and scores, `[pairs, labels]` each.
    #[pyo3(signature = (queries, documents, options, progress=None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        queries: Texts,
        documents: Texts,
        options: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Scores<'py>> {
        let encoder = self.ready(options)?;
        let (queries, documents) = (queries.read()?, documents.read()?);
        let pairs = queries.into_iter().zip(documents).enumerate();
        let pairs = pairs.map(|(place, pair)| match pair {
            (Some(query), Some(document)) => Ok(TextPair { query, document }),
            _ => Err(coded(
                "invalid_input",
                &format!("pair {place}: expected two texts, found a null"),
            )),
        });
        let pairs: Vec<TextPair<'_>> = pairs.collect::<PyResult<_>>()?;
        let found = call::run(py, progress, |control| {
            encoder.with_control(control).start_pairs(&pairs)?.finish()
        })?;
        let labels = encoder.dim();
        let (mut logits, mut scores) = (Vec::new(), Vec::new());
        for output in found {
            if let AnyOutput::Cross(prediction) = output {
                logits.extend(prediction.logits);
                scores.extend(prediction.scores);
            }
        }
        Ok((matrix(py, logits, labels)?, matrix(py, scores, labels)?))
    }

    /// The tokens of texts as they are encoded.
    fn tokenize(
        &self,
        py: Python<'_>,
        texts: Texts,
        kind: &str,
        options: &str,
    ) -> PyResult<Vec<Option<TokenizedTuple>>> {
        let encoder = self.ready(options)?;
        let kind = text_kind(kind)?;
        let texts = texts.read()?;
        let present = Present::of(&texts);
        let found = py.detach(|| encoder.tokenize(&present.texts, kind));
        let mut results: Vec<_> = texts.iter().map(|_| None).collect();
        let found = found.raised()?.into_iter().zip(&present.texts);
        for (place, (tokens, text)) in present.places.iter().zip(found) {
            results[*place] = Some(tokenized(&encoder, &tokens, text));
        }
        Ok(results)
    }

    /// The spelling of each token of a sparse embedding.
    fn spellings(&self, ids: Vec<u32>) -> Vec<String> {
        let tokenizer = self.encoder.tokenizer();
        let spelling = |id| tokenizer.token(id).unwrap_or_default();
        ids.into_iter().map(spelling).collect()
    }

    /// The name of the function that compares dense vectors.
    fn similarity_function(&self) -> Option<String> {
        let found = self.encoder.similarity_function();
        let name = serde_json::to_value(found?).ok()?;
        name.as_str().map(str::to_owned)
    }
}

impl Model {
    /// The encoder with the options of a call.
    fn ready(&self, options: &str) -> PyResult<TextEncoder<AnyHead>> {
        self.loaded.check()?;
        let options: EncodeOptions = parse(options)?;
        self.encoder.with_options(&options).raised()
    }
}

fn text_kind(kind: &str) -> PyResult<TextKind> {
    match kind {
        "query" => Ok(TextKind::Query),
        "document" => Ok(TextKind::Document),
        other => Err(PyValueError::new_err(format!(
            "expected `query` or `document`, found `{other}`"
        ))),
    }
}

fn matrix<'py>(
    py: Python<'py>,
    values: Vec<f32>,
    columns: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let rows = values.len().checked_div(columns).unwrap_or(0);
    let matrix = numpy::ndarray::Array2::from_shape_vec((rows, columns), values);
    let matrix = matrix.map_err(|error| coded("inference", &error.to_string()))?;
    Ok(PyArray2::from_owned_array(py, matrix))
}
