//! What files have of an embedding, by its kind.

use multivec::corpus::VectorPrecision;
use multivec::{DenseEmbedding, Embedding, HybridEmbedding, Result, SparseEmbedding, Truncation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::column::Column;

/// A kind of embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoredKind {
    MultiVector,
    Dense,
    Sparse,
    /// All of them.
    Hybrid,
}

impl StoredKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MultiVector => "multi-vector",
            Self::Dense => "dense",
            Self::Sparse => "sparse",
            Self::Hybrid => "hybrid",
        }
    }
}

/// An embedding that can be written.
pub(crate) trait Stored {
    const KIND: StoredKind;

    /// The values as tensors have them, one after the other, little-endian.
    fn bytes(&self) -> Vec<u8>;

    /// What a line of JSON has of it.
    fn fields(&self) -> Map<String, Value>;

    /// Rows of a multi-vector embedding, weights of a sparse one, 1 of a dense
    /// one.
    fn rows(&self) -> usize;

    /// Weights beside vectors.
    fn weights(&self) -> usize {
        0
    }

    fn truncation(&self) -> Truncation;

    /// Adds it to a column of a table. Another kind's column takes nothing.
    fn push_to(&self, column: &mut Column) -> Result<()>;
}

fn floats(values: &[f32]) -> impl Iterator<Item = u8> {
    values.iter().flat_map(|value| value.to_le_bytes())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl Stored for Embedding {
    const KIND: StoredKind = StoredKind::MultiVector;

    fn bytes(&self) -> Vec<u8> {
        floats(self.as_slice()).collect()
    }

    fn fields(&self) -> Map<String, Value> {
        let view = self.view();
        let rows: Vec<Vec<f32>> = view.rows().into_iter().map(|row| row.to_vec()).collect();
        object(json!({ "embedding": rows }))
    }

    fn rows(&self) -> usize {
        self.tokens()
    }

    fn truncation(&self) -> Truncation {
        self.truncation().unwrap_or_default()
    }

    fn push_to(&self, column: &mut Column) -> Result<()> {
        match column {
            Column::MultiVector(column) => column.push(self),
            _ => Ok(()),
        }
    }
}

impl Stored for DenseEmbedding {
    const KIND: StoredKind = StoredKind::Dense;

    fn bytes(&self) -> Vec<u8> {
        floats(&self.values).collect()
    }

    fn fields(&self) -> Map<String, Value> {
        object(json!({ "embedding": self.values }))
    }

    fn rows(&self) -> usize {
        1
    }

    fn truncation(&self) -> Truncation {
        self.truncation.unwrap_or_default()
    }

    fn push_to(&self, column: &mut Column) -> Result<()> {
        match column {
            Column::Dense(column) => column.push(self),
            _ => Ok(()),
        }
    }
}

impl Stored for SparseEmbedding {
    const KIND: StoredKind = StoredKind::Sparse;

    fn bytes(&self) -> Vec<u8> {
        let indices = self.indices.iter();
        let indices = indices.flat_map(|&index| i64::from(index).to_le_bytes());
        indices.chain(floats(&self.values)).collect()
    }

    fn fields(&self) -> Map<String, Value> {
        object(json!({ "indices": self.indices, "values": self.values }))
    }

    fn rows(&self) -> usize {
        self.len()
    }

    fn truncation(&self) -> Truncation {
        self.truncation.unwrap_or_default()
    }

    fn push_to(&self, column: &mut Column) -> Result<()> {
        match column {
            Column::Sparse(column) => column.push(self),
            _ => Ok(()),
        }
    }
}

impl Stored for HybridEmbedding {
    const KIND: StoredKind = StoredKind::Hybrid;

    fn bytes(&self) -> Vec<u8> {
        let parts = [
            self.dense.bytes(),
            self.sparse.bytes(),
            self.multi_vector.bytes(),
        ];
        parts.concat()
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = self.sparse.fields();
        for (name, mut others) in [
            ("dense", self.dense.fields()),
            ("tokens", self.multi_vector.fields()),
        ] {
            fields.extend(
                others
                    .remove("embedding")
                    .map(|value| (name.to_owned(), value)),
            );
        }
        fields
    }

    fn rows(&self) -> usize {
        self.multi_vector.tokens()
    }

    fn weights(&self) -> usize {
        self.sparse.len()
    }

    fn truncation(&self) -> Truncation {
        self.dense.truncation()
    }

    fn push_to(&self, _: &mut Column) -> Result<()> {
        Ok(())
    }
}

/// A tensor of a text.
pub(super) struct Tensor {
    /// What follows the text's name.
    pub(super) suffix: &'static str,
    pub(super) dtype: &'static str,
    pub(super) shape: Vec<usize>,
    /// Bytes of an element.
    pub(super) size: usize,
}

impl Tensor {
    pub(super) fn bytes(&self) -> u64 {
        let sizes = self.shape.iter().map(|&size| size as u64);
        sizes.product::<u64>() * self.size as u64
    }
}

/// What the shapes of a text's tensors depend on.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) rows: usize,
    pub(super) weights: usize,
    pub(super) dim: usize,
    /// Columns of the vectors of tokens, where those of texts have others.
    pub(super) token_dim: usize,
    /// Of dense vectors.
    pub(super) precision: VectorPrecision,
}

/// The tensors of a text, in the order of their bytes.
pub(super) fn tensors(kind: StoredKind, sizes: Sizes) -> Vec<Tensor> {
    let Sizes {
        rows,
        weights,
        dim,
        token_dim,
        precision,
    } = sizes;
    let tensor = |suffix, dtype, shape, size| Tensor {
        suffix,
        dtype,
        shape,
        size,
    };
    match kind {
        StoredKind::Dense => vec![match precision {
            VectorPrecision::F16 => tensor("", "F16", vec![dim], 2),
            VectorPrecision::Int8 => tensor("", "I8", vec![dim], 1),
            VectorPrecision::Bits => tensor("", "U8", vec![dim.div_ceil(8)], 1),
            _ => tensor("", "F32", vec![dim], 4),
        }],
        StoredKind::Sparse => vec![
            tensor(".indices", "I64", vec![rows], 8),
            tensor(".values", "F32", vec![rows], 4),
        ],
        StoredKind::MultiVector => vec![tensor("", "F32", vec![rows, dim], 4)],
        StoredKind::Hybrid => vec![
            tensor(".dense", "F32", vec![dim], 4),
            tensor(".indices", "I64", vec![weights], 8),
            tensor(".values", "F32", vec![weights], 4),
            tensor(".tokens", "F32", vec![rows, token_dim], 4),
        ],
    }
}
