//! Linear layers over the rows of tokens.

use serde::Deserialize;

use super::append;
use crate::blocks::{Activation, product};
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::interface::declare;
use crate::onnx::{FLOAT, TensorProto};
use crate::safetensors::WeightIndex;

/// The value that layers read and write.
const TOKENS: &str = "token_embeddings";

/// A linear layer over the rows of tokens:
/// `activation(x @ weights^T + bias) + residual`.
///
/// Source: PyLate, `models/Dense.py`; sentence-transformers, `Dense`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// The file of the weights, for errors.
    file: String,
    /// `[outer, inner]`
    weights: TensorProto,
    bias: Option<TensorProto>,
    activation: Activation,
    residual: Residual,
    inner: usize,
    outer: usize,
}

/// What is added to the result.
#[derive(Clone, Debug)]
enum Residual {
    None,
    /// The rows that the layer reads.
    Rows,
    /// These rows, multiplied by weights `[outer, inner]`.
    Projected(Box<TensorProto>),
}

/// `config.json` of a layer. Other keys do not change what it computes.
#[derive(Deserialize)]
struct Config {
    in_features: usize,
    out_features: usize,
    #[serde(default = "present")]
    bias: bool,
    activation_function: String,
    #[serde(default)]
    use_residual: bool,
    module_input_name: Option<String>,
    module_output_name: Option<String>,
}

/// Layers have a bias unless they say otherwise.
fn present() -> bool {
    true
}

impl Dense {
    /// A layer of a folder such as `1_Dense`. `config` is its `config.json`,
    /// `file` that file's name in errors; `weights` has its
    /// `model.safetensors`, added under its path relative to the model's folder.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] if the configuration cannot be read,
    /// [`Error::ModelMismatch`] if the activation is not known, the layer is not
    /// one over tokens, or weights are absent or of another shape.
    pub fn from_config(file: &str, config: &[u8], weights: &WeightIndex) -> Result<Self> {
        let config: Config = serde_json::from_slice(config)
            .map_err(|found| Error::file(file, "the configuration of a linear layer", found))?;
        for (key, name) in [
            ("module_input_name", &config.module_input_name),
            ("module_output_name", &config.module_output_name),
        ] {
            if let Some(name) = name.as_deref().filter(|&name| name != TOKENS) {
                let expected = format!("`{TOKENS}`");
                return Err(Error::mismatch(file, key, expected, format!("`{name}`")));
            }
        }
        let path = &config.activation_function;
        let activation = Activation::of_class(path).ok_or_else(|| {
            let expected = "torch's Identity, GELU, ReLU, SiLU or Tanh";
            Error::mismatch(file, "activation_function", expected, format!("`{path}`"))
        })?;
        let (inner, outer) = (config.in_features, config.out_features);
        let read = |name: &str, shape: &[usize]| read(weights, name, shape);
        let matrix = [outer, inner];
        Ok(Self {
            file: weights.file_names(),
            weights: read("linear.weight", &matrix)?,
            bias: if config.bias {
                Some(read("linear.bias", &[outer])?)
            } else {
                None
            },
            activation,
            residual: if !config.use_residual {
                Residual::None
            } else if inner == outer {
                Residual::Rows
            } else {
                Residual::Projected(Box::new(read("residual.weight", &matrix)?))
            },
            inner,
            outer,
        })
    }

    /// The layer of Stanford's format, which is the tensor `linear.weight` of
    /// the model's own weights; `None` without it.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] if that tensor is not a matrix of floats.
    pub fn from_model(weights: &WeightIndex) -> Result<Option<Self>> {
        let name = "linear.weight";
        let Some(weight) = weights.get(name) else {
            return Ok(None);
        };
        let sizes = weight.shape.iter().map(|&size| usize::try_from(size).ok());
        let sizes: Option<Vec<usize>> = sizes.collect();
        let Some(&[outer, inner]) = sizes.as_deref() else {
            let found = format!("{:?}", weight.shape);
            let what = format!("the tensor `{name}`");
            return Err(Error::mismatch(
                &weight.file,
                what,
                "[rows, columns]",
                found,
            ));
        };
        Ok(Some(Self {
            file: weight.file.to_string(),
            weights: weight.to_tensor(name)?,
            bias: None,
            activation: Activation::Identity,
            residual: Residual::None,
            inner,
            outer,
        }))
    }

    /// Columns of the rows that it reads.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// Columns of the rows that it returns.
    pub fn outer(&self) -> usize {
        self.outer
    }

    /// Appends the layer to a graph's output, `[batch, length, inner]`. The
    /// result, whose name is returned, is the only output then. `file` is the
    /// graph's name in errors.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] if the graph has no output of that name.
    pub fn append_to(&self, graph: &mut Graph, file: &str, output: &str) -> Result<String> {
        let result = append(graph, file, output, |builder, x| Ok(self.add(builder, x)))?;
        // Engines cannot infer the shape of what fused operators return.
        graph.proto_mut().output = vec![declare(&result, FLOAT, Some(self.outer))];
        Ok(result)
    }

    fn add(&self, builder: &mut Builder, x: &str) -> String {
        let mut weight = |tensor: &TensorProto| {
            let name = tensor.name.as_deref().unwrap_or_default();
            let folder = self.file.rsplit_once('/').map(|(folder, _)| folder);
            let name = folder.map_or_else(|| name.to_owned(), |folder| format!("{folder}.{name}"));
            builder.weight(TensorProto {
                name: Some(name),
                ..tensor.clone()
            })
        };
        let weights = weight(&self.weights);
        let bias = self.bias.as_ref().map(&mut weight);
        let residual = match &self.residual {
            Residual::Projected(tensor) => Some(weight(tensor)),
            Residual::None | Residual::Rows => None,
        };
        let mut result = product(builder, x, &weights);
        if let Some(bias) = bias {
            result = builder.add("Add", &[&result, &bias]);
        }
        result = self.activation.apply(builder, &result);
        match (&self.residual, residual) {
            (Residual::None, _) => result,
            (_, Some(weights)) => {
                let rows = product(builder, x, &weights);
                builder.add("Add", &[&result, &rows])
            }
            (_, None) => builder.add("Add", &[&result, x]),
        }
    }
}

fn read(weights: &WeightIndex, name: &str, shape: &[usize]) -> Result<TensorProto> {
    let what = || format!("the tensor `{name}`");
    let expected = || format!("one of {shape:?}");
    let weight = weights
        .get(name)
        .ok_or_else(|| Error::mismatch(&weights.file_names(), what(), expected(), "none"))?;
    let sizes = weight.shape.iter().copied();
    if !sizes.eq(shape.iter().map(|&size| size as u64)) {
        let found = format!("{:?}", weight.shape);
        return Err(Error::mismatch(&weight.file, what(), expected(), found));
    }
    weight.to_tensor(name)
}
