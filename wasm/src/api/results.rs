//! What a call gives, by the kind of model.

use multivec_core::Embedding;
use multivec_core::encoder::AnyOutput;
use serde::Serialize;
use wasm_bindgen::JsValue;

use super::arrays::{Truncations, floats, integers, object};
use super::error::JsResult;
use super::multi_vectors::EncodedTexts;

/// The outputs of a call, which are all of one kind. `texts` are those of
/// multi-vectors.
pub(super) fn object_of(texts: &[String], outputs: Vec<AnyOutput>) -> JsResult<JsValue> {
    let (mut embeddings, mut vectors) = (Vec::<Embedding>::new(), Vectors::default());
    let (mut dense, mut vocabulary) = (Vec::new(), 0);
    for output in outputs {
        match output {
            AnyOutput::MultiVector(embedding) => embeddings.push(embedding),
            AnyOutput::Hybrid(embedding) => {
                dense.extend(embedding.dense.values);
                vocabulary = embedding.sparse.dim;
                vectors.push(AnyOutput::Sparse(embedding.sparse));
                embeddings.push(embedding.multi_vector);
            }
            other => vectors.push(other),
        }
    }
    if embeddings.is_empty() {
        return object(&vectors);
    }
    let found = EncodedTexts::new(texts, &embeddings);
    if dense.is_empty() {
        return object(&found);
    }
    object(&HybridTexts {
        texts: found,
        dense,
        weights: vectors.data,
        indices: vectors.indices,
        ends: vectors.ends,
        vocabulary,
    })
}

/// Multi-vectors, and what models of several kinds give beside them.
#[derive(Serialize)]
struct HybridTexts {
    #[serde(flatten)]
    texts: EncodedTexts,
    /// Vectors of the texts, one after the other.
    #[serde(serialize_with = "floats")]
    dense: Vec<f32>,
    /// Weights of tokens, one text after the other.
    #[serde(serialize_with = "floats")]
    weights: Vec<f32>,
    /// The token of each weight.
    #[serde(serialize_with = "integers")]
    indices: Vec<u32>,
    /// Where each text ends in `weights`.
    #[serde(serialize_with = "integers")]
    ends: Vec<u32>,
    /// Tokens that could have a weight.
    vocabulary: usize,
}

/// A vector for each text or pair, one after the other.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    /// Values of dense vectors, weights of sparse ones, or logits.
    #[serde(serialize_with = "floats")]
    data: Vec<f32>,
    /// The logits after the activation function.
    #[serde(serialize_with = "floats")]
    scores: Vec<f32>,
    /// The token of each weight.
    #[serde(serialize_with = "integers")]
    indices: Vec<u32>,
    /// Where each text ends in `data`.
    #[serde(serialize_with = "integers")]
    ends: Vec<u32>,
    #[serde(flatten)]
    truncations: Truncations,
}

impl Vectors {
    fn push(&mut self, output: AnyOutput) {
        let truncation = match output {
            AnyOutput::Dense(embedding) => {
                self.data.extend(embedding.values);
                embedding.truncation
            }
            AnyOutput::Sparse(embedding) => {
                self.data.extend(embedding.values);
                self.indices.extend(embedding.indices);
                embedding.truncation
            }
            AnyOutput::Cross(prediction) => {
                self.data.extend(prediction.logits);
                self.scores.extend(prediction.scores);
                prediction.truncation
            }
            _ => None,
        };
        self.ends.push(self.data.len() as u32);
        self.truncations.push(truncation.unwrap_or_default());
    }
}
