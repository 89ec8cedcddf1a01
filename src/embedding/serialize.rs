//! Embeddings as `{ "dim": …, "data": […] }`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Embedding;

#[derive(Deserialize, Serialize)]
#[serde(rename = "Embedding")]
struct Stored<'a> {
    /// Columns.
    dim: usize,
    /// All rows, one after the other.
    data: Cow<'a, [f32]>,
}

impl Serialize for Embedding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = Stored {
            dim: self.dim(),
            data: self.as_slice().into(),
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Embedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Self::from_rows(stored.data.into_owned(), stored.dim).map_err(de::Error::custom)
    }
}
