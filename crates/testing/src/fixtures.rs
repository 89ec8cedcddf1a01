//! Model directories with PyLate's reference embeddings.

use multivec_core::Precision;
use safetensors::SafeTensors;
use serde_json::Value;

/// A model directory with PyLate's reference embeddings.
pub struct Fixture {
    pub name: &'static str,
    pub config: &'static [u8],
    pub tokenizer: &'static [u8],
    /// Absent for the demo model, whose FP32 file is not in the repository.
    pub fp32: Option<&'static [u8]>,
    pub int8: &'static [u8],
    reference_json: &'static [u8],
    reference_tensors: &'static [u8],
}

macro_rules! fixture_file {
    ($folder:literal, $file:literal) => {
        include_bytes!(concat!("../../../", $folder, "/", $file))
    };
}

pub static TINY_BERT: Fixture = Fixture {
    name: "tiny-bert",
    config: fixture_file!("tests/fixtures/tiny-bert", "onnx_config.json"),
    tokenizer: fixture_file!("tests/fixtures/tiny-bert", "tokenizer.json"),
    fp32: Some(fixture_file!("tests/fixtures/tiny-bert", "model.onnx")),
    int8: fixture_file!("tests/fixtures/tiny-bert", "model_int8.onnx"),
    reference_json: fixture_file!("tests/fixtures/tiny-bert", "reference.json"),
    reference_tensors: fixture_file!("tests/fixtures/tiny-bert", "reference.safetensors"),
};

pub static TINY_MODERNBERT: Fixture = Fixture {
    name: "tiny-modernbert",
    config: fixture_file!("tests/fixtures/tiny-modernbert", "onnx_config.json"),
    tokenizer: fixture_file!("tests/fixtures/tiny-modernbert", "tokenizer.json"),
    fp32: Some(fixture_file!(
        "tests/fixtures/tiny-modernbert",
        "model.onnx"
    )),
    int8: fixture_file!("tests/fixtures/tiny-modernbert", "model_int8.onnx"),
    reference_json: fixture_file!("tests/fixtures/tiny-modernbert", "reference.json"),
    reference_tensors: fixture_file!("tests/fixtures/tiny-modernbert", "reference.safetensors"),
};

pub static MINILM: Fixture = Fixture {
    name: "minilm-colbert",
    config: fixture_file!("models/minilm-colbert", "onnx_config.json"),
    tokenizer: fixture_file!("models/minilm-colbert", "tokenizer.json"),
    fp32: None,
    int8: fixture_file!("models/minilm-colbert", "model_int8.onnx"),
    reference_json: fixture_file!("tests/fixtures/minilm-colbert", "reference.json"),
    reference_tensors: fixture_file!("tests/fixtures/minilm-colbert", "reference.safetensors"),
};

pub static TINY: [&Fixture; 2] = [&TINY_BERT, &TINY_MODERNBERT];

impl Fixture {
    /// The ONNX file of a precision.
    pub fn model(&self, precision: Precision) -> Option<&'static [u8]> {
        match precision {
            Precision::Int8 => Some(self.int8),
            _ => self.fp32,
        }
    }

    pub fn reference(&self) -> Reference {
        Reference {
            json: serde_json::from_slice(self.reference_json).expect("reference.json is JSON"),
            tensors: SafeTensors::deserialize(self.reference_tensors)
                .expect("reference.safetensors is valid"),
        }
    }
}

/// PyLate's tokens and embeddings of a fixture's texts.
pub struct Reference {
    json: Value,
    tensors: SafeTensors<'static>,
}

/// `queries` or `documents`, as the reference names them.
#[derive(Clone, Copy)]
pub struct Side(pub &'static str);

impl Reference {
    fn entries(&self, side: Side) -> &[Value] {
        self.json[side.0].as_array().expect("a list of texts")
    }

    pub fn texts(&self, side: Side) -> Vec<String> {
        self.entries(side)
            .iter()
            .map(|entry| entry["text"].as_str().expect("a text").to_owned())
            .collect()
    }

    pub fn numbers(&self, side: Side, text: usize, key: &str) -> Vec<u64> {
        self.entries(side)[text][key]
            .as_array()
            .expect("a list of numbers")
            .iter()
            .map(|number| number.as_u64().expect("a number"))
            .collect()
    }

    /// Shape and values of a tensor.
    pub fn tensor(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let view = self
            .tensors
            .tensor(name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let values = view
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            .collect();
        (view.shape().to_vec(), values)
    }
}
