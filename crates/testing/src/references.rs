//! What the libraries that models were made with give for texts.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;

/// The content of `reference.json` and `reference.safetensors`.
pub struct HubReference {
    pub queries: Vec<String>,
    pub documents: Vec<String>,
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
            tensors: fs::read(folder.join("reference.safetensors")).expect("it has tensors"),
        }
    }

    /// The rows of a tensor with two axes.
    pub fn rows(&self, name: &str) -> Vec<Vec<f32>> {
        let tensors = SafeTensors::deserialize(&self.tensors).expect("they are valid");
        let tensor = tensors.tensor(name).expect("it is among them");
        let columns = *tensor.shape().last().expect("it has axes");
        let values: Vec<f32> = tensor
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            .collect();
        values.chunks(columns).map(<[f32]>::to_vec).collect()
    }
}
