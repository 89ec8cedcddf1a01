//! What is behind a graph, with its weights.

use std::sync::Arc;

use multivec_graph::hybrid::HybridPart;
use multivec_graph::safetensors::WeightIndex;
use multivec_graph::{Bytes, widen_stored};
use ndarray::{Array1, Array2};

use super::heads::{Cross, Dense, Hybrid, LogitColumns, ModelHead, Sparse};
use crate::config::Keys;
use crate::dense::{Layer, LayerResidual, Layers, SentencePooling, Similarity, TokenPooling};
use crate::error::{Error, Result};
use crate::model::{
    self, DenseWeights, HeadDescription, HybridDescription, HybridHeads, HybridWidths,
    ModelDescription, ModelStore, Module, Residual, StaticTable,
};
use crate::sparse::{StaticWeights, TokenWeights};
use crate::tokenize::TextTokenizer;

/// Reads the weights of what is behind a model's graph.
///
/// # Errors
/// Those of `store`, [`Error::InvalidFile`] for weights that cannot be read,
/// [`Error::ModelMismatch`] for tensors that are absent or of another shape.
pub(super) fn load_head(
    description: &ModelDescription,
    tokenizer: &TextTokenizer,
    store: &impl ModelStore,
) -> Result<ModelHead> {
    Ok(match &description.head {
        HeadDescription::MultiVector => ModelHead::MultiVector,
        HeadDescription::Dense(dense) => {
            let layers = dense.modules.iter().map(|module| layer(module, store));
            ModelHead::Dense(Dense {
                pooling: dense.pooling.clone(),
                layers: Layers(layers.collect::<Result<Vec<_>>>()?.into()),
                similarity: dense.similarity,
            })
        }
        HeadDescription::Sparse(sparse) => ModelHead::Sparse(Sparse {
            queries: match &sparse.queries {
                Some(table) => Some(static_weights(table, tokenizer, store)?),
                None => None,
            },
            tokens: None,
        }),
        HeadDescription::Hybrid(hybrid) => self::hybrid(hybrid, tokenizer, store)?,
        HeadDescription::CrossEncoder(cross) => ModelHead::Cross(Cross {
            labels: cross.labels,
            activation: cross.activation,
            columns: match cross.answers {
                None => LogitColumns::Labels,
                Some(answers) if answers.no.is_none() => LogitColumns::Answer,
                Some(_) => LogitColumns::Difference,
            },
        }),
    })
}

/// What is loaded of a model of several kinds.
fn hybrid(
    description: &HybridDescription,
    tokenizer: &TextTokenizer,
    store: &impl ModelStore,
) -> Result<ModelHead> {
    let sparse = || {
        Ok::<_, Error>(Sparse {
            queries: None,
            tokens: Some(TokenWeights::new(
                tokenizer.wordless_ids()?,
                tokenizer.largest_id(),
            )),
        })
    };
    Ok(match description.part {
        HybridPart::Text => ModelHead::Dense(Dense {
            pooling: SentencePooling::of(TokenPooling::Cls),
            layers: Layers(Vec::new().into()),
            similarity: Similarity::Cosine,
        }),
        HybridPart::Weights => ModelHead::Sparse(sparse()?),
        HybridPart::Tokens => ModelHead::MultiVector,
        _ => ModelHead::Hybrid(Hybrid {
            widths: match (description.widths, &description.heads) {
                (Some(widths), _) => widths,
                (None, Some(heads)) => widths(heads, store)?,
                (None, None) => {
                    let what = "the heads of a model of several kinds";
                    return Err(Error::missing_file(store.location(), what, "none"));
                }
            },
            sparse: sparse()?,
        }),
    })
}

fn widths(heads: &HybridHeads, store: &impl ModelStore) -> Result<HybridWidths> {
    let mut index = WeightIndex::new();
    store.index(&heads.tokens, &mut index)?;
    let shape = index.get("weight").map(|weight| &weight.shape[..]);
    match shape.map(|sizes| sizes.iter().map(|&size| usize::try_from(size)).collect()) {
        Some(Ok::<Vec<_>, _>(sizes)) if sizes.len() == 2 => {
            Ok(HybridWidths::new(sizes[1], sizes[0]))
        }
        _ => Err(Error::model_mismatch(
            store.name(&heads.tokens),
            "tensor `weight`",
            "two axes",
            format_args!("{shape:?}"),
        )),
    }
}

fn layer(module: &Module, store: &impl ModelStore) -> Result<Layer> {
    let dense = match module {
        Module::Normalize => return Ok(Layer::Normalize),
        Module::Dense(dense) => dense,
    };
    let path = match &dense.weights {
        DenseWeights::File(path) => path,
        DenseWeights::Transformer => {
            let what = "the weights of a Dense module";
            return Err(Error::missing_file(store.location(), what, &dense.folder));
        }
    };
    let weights = Weights::read(path, store)?;
    let model::Dense {
        in_features,
        out_features,
        ..
    } = *dense;
    let matrix = |name| {
        let values = weights.tensor(name, &[out_features, in_features])?;
        Array2::from_shape_vec((out_features, in_features), values)
            .map_err(|error| Error::invalid_model(store.name(path), "multivec", error))
    };
    Ok(Layer::Dense {
        weight: matrix("linear.weight")?,
        bias: if dense.bias {
            let bias = weights.tensor("linear.bias", &[out_features])?;
            Some(Array1::from(bias))
        } else {
            None
        },
        activation: dense.activation,
        residual: match dense.residual {
            Residual::None => LayerResidual::None,
            Residual::Input => LayerResidual::Input,
            Residual::Projected => LayerResidual::Projected(matrix("residual.weight")?),
        },
    })
}

fn static_weights(
    table: &StaticTable,
    tokenizer: &TextTokenizer,
    store: &impl ModelStore,
) -> Result<StaticWeights> {
    let values = match table {
        StaticTable::Safetensors(path) => {
            let weights = Weights::read(path, store)?;
            weights.vector("weight")?
        }
        StaticTable::Json(path) => {
            let keys = Keys::parse(&store.name(path), &store.read_weights(path)?)?;
            let mut values = vec![0.; tokenizer.largest_id() as usize + 1];
            for (token, weight) in keys.entries() {
                let weight = weight.as_f64().ok_or_else(|| {
                    keys.error(
                        "weight",
                        "a number for each token",
                        format_args!("{weight}"),
                    )
                })?;
                // Tokens that the vocabulary lacks are those of unknown words.
                let id = tokenizer.id(token).or_else(|| tokenizer.unknown_id());
                if let Some(value) = id.and_then(|id| values.get_mut(id as usize)) {
                    *value = weight as f32;
                }
            }
            values
        }
    };
    Ok(StaticWeights(Arc::from(values)))
}

/// The tensors of a safetensors file, in memory.
struct Weights {
    file: String,
    index: WeightIndex,
    content: Vec<u8>,
}

impl Weights {
    fn read(path: &str, store: &impl ModelStore) -> Result<Self> {
        let content = store.read_weights(path)?;
        let file = store.name(path);
        let mut index = WeightIndex::new();
        index.read_file(&file, std::io::Cursor::new(&content))?;
        Ok(Self {
            file,
            index,
            content,
        })
    }

    /// The values of a tensor of this shape.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let expected: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
        self.values(name, &format!("shape {expected:?}"), |found| {
            found == expected
        })
    }

    /// The values of a tensor with one axis.
    fn vector(&self, name: &str) -> Result<Vec<f32>> {
        self.values(name, "one axis", |found| found.len() == 1)
    }

    fn values(
        &self,
        name: &str,
        expected: &str,
        is_expected: impl Fn(&[u64]) -> bool,
    ) -> Result<Vec<f32>> {
        let mismatch = |found: String| {
            Error::model_mismatch(&self.file, format_args!("tensor `{name}`"), expected, found)
        };
        let Some(weight) = self.index.get(name) else {
            let names: Vec<&str> = self.index.names().collect();
            return Err(mismatch(format!("none among {}", names.join(", "))));
        };
        if !is_expected(&weight.shape) {
            return Err(mismatch(format!("shape {:?}", weight.shape)));
        }
        let tensor = weight.to_tensor(name)?;
        // The index has checked that tensors are within the file.
        let start = usize::try_from(weight.offset).unwrap_or(usize::MAX);
        let length = usize::try_from(weight.length).unwrap_or(usize::MAX);
        let bytes = self.content.get(start..start.saturating_add(length));
        let bytes = bytes.ok_or_else(|| mismatch("beyond the end of the file".to_owned()))?;
        let bytes = widen_stored(&tensor, Bytes::copy_from_slice(bytes));
        let values = bytes.chunks_exact(size_of::<f32>());
        Ok(values
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap_or_default()))
            .collect())
    }
}
