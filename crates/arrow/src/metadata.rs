//! What a schema says about embeddings.

use std::collections::HashMap;

use multivec_core::{Error, Result};

/// What embeddings are of, as the metadata of a schema has it, under keys that
/// begin with `multivec.`. All parts are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbeddingMetadata {
    /// `multivec.kind`: `multi-vector`, `dense` or `sparse`.
    pub kind: Option<String>,
    /// `multivec.space`: the embedding space,
    /// [`Fingerprint::space`](multivec_core::Fingerprint::space).
    pub space: Option<String>,
    /// `multivec.computed`: what computed them,
    /// [`Fingerprint::computed`](multivec_core::Fingerprint::computed).
    pub computed: Option<String>,
    /// `multivec.model`: the model's name, such as its id on a hub.
    pub model: Option<String>,
    /// `multivec.revision`: the commit of a model of a hub.
    pub revision: Option<String>,
    /// `multivec.precision`: the name of a
    /// [`VectorPrecision`](multivec_core::corpus::VectorPrecision).
    pub precision: Option<String>,
    /// `multivec.pooling`: the factor by which rows were pooled.
    pub pooling: Option<usize>,
    /// `multivec.texts`: `query` or `document`.
    pub texts: Option<String>,
    /// `multivec.dim`: columns of a row, or of the vocabulary of sparse
    /// embeddings.
    pub dim: Option<usize>,
}

const KIND: &str = "multivec.kind";
const SPACE: &str = "multivec.space";
const COMPUTED: &str = "multivec.computed";
const MODEL: &str = "multivec.model";
const REVISION: &str = "multivec.revision";
const PRECISION: &str = "multivec.precision";
const POOLING: &str = "multivec.pooling";
const TEXTS: &str = "multivec.texts";
const DIM: &str = "multivec.dim";

impl EmbeddingMetadata {
    /// The metadata of a schema.
    pub fn to_map(&self) -> HashMap<String, String> {
        let number = |number: Option<usize>| number.map(|number| number.to_string());
        let pairs = [
            (KIND, self.kind.clone()),
            (SPACE, self.space.clone()),
            (COMPUTED, self.computed.clone()),
            (MODEL, self.model.clone()),
            (REVISION, self.revision.clone()),
            (PRECISION, self.precision.clone()),
            (POOLING, number(self.pooling)),
            (TEXTS, self.texts.clone()),
            (DIM, number(self.dim)),
        ];
        let pairs = pairs.into_iter();
        pairs
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }

    /// Reads what the metadata of a schema has; other keys are left.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] for a number that is none.
    pub fn from_map(map: &HashMap<String, String>) -> Result<Self> {
        let text = |key| map.get(key).cloned();
        let number = |key: &str| {
            let value = map.get(key).map(|value| (value, value.parse()));
            match value {
                None => Ok(None),
                Some((_, Ok(number))) => Ok(Some(number)),
                Some((value, Err(_))) => Err(Error::invalid_file(
                    format!("metadata `{key}`"),
                    "a number",
                    value,
                )),
            }
        };
        Ok(Self {
            kind: text(KIND),
            space: text(SPACE),
            computed: text(COMPUTED),
            model: text(MODEL),
            revision: text(REVISION),
            precision: text(PRECISION),
            pooling: number(POOLING)?,
            texts: text(TEXTS),
            dim: number(DIM)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_as_it_was_written() {
        let metadata = EmbeddingMetadata {
            kind: Some("multi-vector".into()),
            space: Some("0123".into()),
            computed: Some("here".into()),
            model: Some("org/name".into()),
            revision: Some("abc".into()),
            precision: Some("int8".into()),
            pooling: Some(2),
            texts: Some("document".into()),
            dim: Some(128),
        };
        let mut map = metadata.to_map();
        assert_eq!(map.len(), 9);
        assert!(map.keys().all(|key| key.starts_with("multivec.")));
        map.insert("other".into(), "value".into());
        assert_eq!(EmbeddingMetadata::from_map(&map).expect("valid"), metadata);
        let none = EmbeddingMetadata::from_map(&HashMap::new()).expect("valid");
        assert_eq!(none, EmbeddingMetadata::default());
        assert!(none.to_map().is_empty());
        map.insert(DIM.into(), "many".into());
        let error = EmbeddingMetadata::from_map(&map).expect_err("no number");
        let expected = "metadata `multivec.dim`: expected a number, found many";
        assert_eq!(error.to_string(), expected);
    }
}
