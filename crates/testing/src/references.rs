//! What the libraries that models were made with give for texts.

use std::fs;
use std::path::Path;

use multivec_core::encoder::EmbeddingHead;
use multivec_core::{TextEncoder, TextKind};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// The content of `reference.json` and `reference.safetensors`.
pub struct HubReference {
    pub queries: Vec<String>,
    pub documents: Vec<String>,
    /// Where the package that has the model keeps it, for a model that is not in the
    /// repository.
    pub package_folder: Option<String>,
    tensors: Vec<u8>,
}

impl HubReference {
    /// Reads the files in a folder.
    pub fn read(folder: &Path) -> Self {
        let json = fs::read(folder.join("reference.json")).expect("it has texts");
        let json: Value = serde_json::from_slice(&json).expect("it is JSON");
        let texts = |key: &str| {
            let texts = json[key].as_array().expect("a list of texts").iter();
            let texts = texts.map(|text| text.as_str().expect("a text").to_owned());
            texts.collect()
        };
        Self {
            queries: texts("queries"),
            documents: texts("documents"),
            package_folder: json["from"]["folder"].as_str().map(str::to_owned),
            tensors: fs::read(folder.join("reference.safetensors")).expect("it has tensors"),
        }
    }

    /// The rows of a tensor with two axes.
    pub fn rows(&self, name: &str) -> Vec<Vec<f32>> {
        let tensors = self.tensors();
        let tensor = tensors.tensor(name).expect("it is among them");
        let columns = *tensor.shape().last().expect("it has axes");
        floats(&tensor)
            .chunks(columns)
            .map(<[f32]>::to_vec)
            .collect()
    }

    /// The vectors of texts: the rows of a tensor, `[texts, dim]`, or what sparse
    /// ones have in the places of two tensors a text, `NAME.I.indices` and
    /// `NAME.I.values`.
    fn embeddings(&self, name: &str, dim: usize) -> Vec<Vec<f32>> {
        let tensors = self.tensors();
        if tensors.names().contains(&name) {
            return self.rows(name);
        }
        let indices = (0..).map_while(|at| {
            let indices = tensors.tensor(&format!("{name}.{at}.indices")).ok()?;
            Some((at, indices))
        });
        indices
            .map(|(at, indices)| {
                let values = tensors.tensor(&format!("{name}.{at}.values"));
                let values = floats(&values.expect("the values of these indices"));
                let indices = places(&indices);
                assert_eq!(indices.len(), values.len(), "{name} {at}");
                let mut row = vec![0.; dim];
                for (index, value) in indices.into_iter().zip(values) {
                    row[index] = value;
                }
                row
            })
            .collect()
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.tensors).expect("they are valid")
    }
}

fn floats(tensor: &TensorView<'_>) -> Vec<f32> {
    assert_eq!(tensor.dtype(), Dtype::F32);
    let values = tensor.data().chunks_exact(4);
    values
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect()
}

fn places(tensor: &TensorView<'_>) -> Vec<usize> {
    assert_eq!(tensor.dtype(), Dtype::I64);
    let values = tensor.data().chunks_exact(8);
    values
        .map(|bytes| {
            let index = i64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            usize::try_from(index).expect("a place")
        })
        .collect()
}

/// Calls `check` with each embedding of the reference's texts, encoded together
/// and alone, with what is expected, and with a name for messages.
pub fn compare<H: EmbeddingHead>(
    encoder: &TextEncoder<H>,
    reference: &HubReference,
    check: impl Fn(&H::Output, &[f32], &str),
) {
    for (kind, key, texts) in [
        (TextKind::Query, "queries", &reference.queries),
        (TextKind::Document, "documents", &reference.documents),
    ] {
        let expected = reference.embeddings(key, encoder.dim());
        let together = encoder.encode(texts, kind).expect("texts are encoded");
        assert_eq!(together.len(), expected.len(), "{key}");
        for (at, (found, expected)) in together.iter().zip(&expected).enumerate() {
            let alone = encoder
                .encode(&texts[at..=at], kind)
                .expect("it is encoded");
            for found in [found, &alone[0]] {
                check(found, expected, &format!("{key} {at} {:?}", texts[at]));
            }
        }
    }
}

/// The largest difference of a component, in multiples of a value beyond 1;
/// infinite if one is NaN.
pub fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let differences =
        pairs.map(|(found, expected)| (found - expected).abs() / expected.abs().max(1.));
    differences.fold(0., |most, one| {
        if one.is_nan() {
            f32::INFINITY
        } else {
            most.max(one)
        }
    })
}

pub fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| -> f32 {
        left.iter()
            .zip(right)
            .map(|(left, right)| left * right)
            .sum()
    };
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}
