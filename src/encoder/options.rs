//! Options of encoding.

use super::parts::Defaults;
use crate::backend::Padding;
use crate::batch::{BatchLimit, BatchShapes};
use crate::config::{ModelConfig, TextKind};
use crate::error::{Error, Result};
use crate::model::ModelKind;
use crate::normalization::Normalization;
use crate::pool::Pooling;
use crate::tokenize::{Layout, TextTokenizer, TruncationPolicy};

/// Whether queries are expanded with mask tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum QueryExpansion {
    /// As the model's configuration says.
    #[default]
    Model,
    /// Expand to the query length.
    On,
    /// Do not expand.
    Off,
}

/// Options of encoding, the same for all engines.
///
/// They are checked by [`Encoder::new`](super::Encoder::new) and
/// [`Encoder::with_options`](super::Encoder::with_options).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// Most tokens of a query, including special tokens and marker; by default
    /// the model's own length.
    pub query_length: Option<usize>,
    /// Most tokens of a document, including special tokens and marker; by
    /// default the model's own length.
    pub document_length: Option<usize>,
    /// Whether queries are expanded with mask tokens.
    pub query_expansion: QueryExpansion,
    /// What to do with longer texts.
    pub truncation: TruncationPolicy,
    /// Whether rows are scaled to unit length.
    pub normalization: Normalization,
    /// How far documents are pooled; `None` for as far as the model says,
    /// which is not at all with few exceptions.
    pub pooling: Option<Pooling>,
    /// The first columns of dense vectors that are kept, for models trained so
    /// (Matryoshka); all by default.
    pub dimensions: Option<usize>,
    /// The name of the prompt that queries and documents have, one of those
    /// that the model states; by default each has its own.
    pub prompt: Option<String>,
    /// The maximum size of a batch.
    pub batch_limit: BatchLimit,
    /// The shapes of batches.
    pub batch_shapes: BatchShapes,
}

impl EncodeOptions {
    /// Keeps the first columns of dense vectors.
    #[must_use]
    pub fn with_dimensions(mut self, columns: usize) -> Self {
        self.dimensions = Some(columns);
        self
    }

    /// Puts the prompt of this name in front of all texts.
    #[must_use]
    pub fn with_prompt(mut self, name: impl Into<String>) -> Self {
        self.prompt = Some(name.into());
        self
    }

    /// Limits queries to this many tokens.
    #[must_use]
    pub fn with_query_length(mut self, tokens: usize) -> Self {
        self.query_length = Some(tokens);
        self
    }

    /// Limits documents to this many tokens.
    #[must_use]
    pub fn with_document_length(mut self, tokens: usize) -> Self {
        self.document_length = Some(tokens);
        self
    }

    /// Expands queries with mask tokens, or does not.
    #[must_use]
    pub fn with_query_expansion(mut self, expansion: QueryExpansion) -> Self {
        self.query_expansion = expansion;
        self
    }

    /// Cuts longer texts off, or refuses them.
    #[must_use]
    pub fn with_truncation(mut self, policy: TruncationPolicy) -> Self {
        self.truncation = policy;
        self
    }

    /// Scales rows to unit length, or does not.
    #[must_use]
    pub fn with_normalization(mut self, normalization: Normalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// Pools documents.
    #[must_use]
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = Some(pooling);
        self
    }

    /// Limits the size of batches.
    #[must_use]
    pub fn with_batch_limit(mut self, limit: BatchLimit) -> Self {
        self.batch_limit = limit;
        self
    }

    /// Makes batches of these shapes.
    #[must_use]
    pub fn with_batch_shapes(mut self, shapes: BatchShapes) -> Self {
        self.batch_shapes = shapes;
        self
    }
}

/// Far beyond any model; a mistyped length must not exhaust the memory.
const LONGEST: usize = 1_000_000;

/// Options checked against a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) query: Layout,
    pub(super) document: Layout,
    pub(super) normalization: Normalization,
    pub(super) pooling: Option<Pooling>,
    /// Columns of dense vectors, if not all.
    pub(super) dimensions: Option<usize>,
    /// Whether they are scaled to unit length then; never
    /// [`Normalization::Model`].
    pub(super) renormalization: Normalization,
    /// Most tokens of an input, where the model's files state them.
    pub(super) positions: Option<usize>,
    pub(super) batch_limit: BatchLimit,
    pub(super) batch_shapes: BatchShapes,
}

impl EncodeOptions {
    /// Refuses what is for models of other kinds.
    pub(super) fn check_kind(&self, kind: ModelKind) -> Result<()> {
        let has_expansion = self.query_expansion != QueryExpansion::Model;
        // Models of several kinds have vectors of tokens, which can be pooled.
        let of_pooling = match kind {
            ModelKind::Hybrid => kind,
            _ => ModelKind::MultiVector,
        };
        let of_others = [
            ("dimensions", ModelKind::Dense, self.dimensions.is_some()),
            ("query_expansion", ModelKind::MultiVector, has_expansion),
            ("pooling", of_pooling, self.pooling.is_some()),
        ];
        let found = of_others
            .iter()
            .find(|(_, of, is_given)| *is_given && *of != kind);
        found.map_or(Ok(()), |(option, of, _)| {
            let found = format!("a {kind} model");
            Err(Error::option(option, format!("a {of} model"), found))
        })
    }

    pub(super) fn plan(
        &self,
        config: &ModelConfig,
        tokenizer: &TextTokenizer,
        defaults: Defaults,
    ) -> Result<Plan> {
        let expand = match self.query_expansion {
            QueryExpansion::Model => config.do_query_expansion,
            QueryExpansion::On => true,
            QueryExpansion::Off => false,
        };
        if expand {
            tokenizer.mask_id()?;
        }
        let pooling = self.pooling.or(defaults.pooling);
        pooling.map_or(Ok(()), Pooling::check)?;
        match self.batch_limit {
            BatchLimit::Texts(0) => return Err(Error::option("batch_limit", "1 text or more", 0)),
            BatchLimit::Tokens(0) => {
                return Err(Error::option("batch_limit", "1 token or more", 0));
            }
            _ => {}
        }
        let prompt = match &self.prompt {
            Some(name) => Some(tokenizer.prompt_index(name)?),
            None => None,
        };
        let layout = |kind, given: Option<usize>, expand: bool| {
            let least = tokenizer.overhead(kind).max(1);
            let length = given.unwrap_or_else(|| config.length(kind));
            let key = kind.length_key();
            let expected = format!("{least} to {LONGEST}, with room for the special tokens");
            match given {
                _ if (least..=LONGEST).contains(&length) => Ok(Layout {
                    kind,
                    length,
                    expanded: expand.then(|| config.expanded_length(length)),
                    policy: self.truncation,
                    prompt,
                    prompt_tokens: tokenizer.prompt_tokens(kind, prompt)?,
                }),
                Some(_) => Err(Error::option(key, expected, length)),
                None => Err(config.error(key, expected, length.to_string())),
            }
        };
        Ok(Plan {
            query: layout(TextKind::Query, self.query_length, expand)?,
            document: layout(TextKind::Document, self.document_length, false)?,
            normalization: self.normalization.resolve(defaults.normalization),
            pooling,
            dimensions: self.dimensions,
            renormalization: match self.normalization {
                Normalization::L2 => Normalization::L2,
                _ => Normalization::Off,
            },
            positions: defaults.positions,
            batch_limit: self.batch_limit,
            batch_shapes: self.batch_shapes,
        })
    }
}

impl Plan {
    /// Refuses to keep more columns than there are.
    pub(super) fn check_dimensions(&self, dim: usize) -> Result<()> {
        match self.dimensions {
            Some(columns) if !(1..=dim).contains(&columns) => {
                let expected = format!("1 to {dim}, the columns of the model's vectors");
                Err(Error::option("dimensions", expected, columns))
            }
            _ => Ok(()),
        }
    }

    /// Refuses shapes that need padding where it is avoided.
    pub(super) fn check_padding(&self, padding: Padding) -> Result<()> {
        match (self.batch_shapes, padding) {
            (BatchShapes::Buckets, Padding::Avoided { .. }) => Err(Error::option(
                "batch_shapes",
                "exact shapes, since padding changes the vectors of this model",
                "buckets",
            )),
            _ => Ok(()),
        }
    }

    /// Most tokens of any text.
    pub(super) fn longest(&self) -> usize {
        self.query.length.max(self.document.length)
    }

    pub(super) fn layout(&self, kind: TextKind) -> &Layout {
        match kind {
            TextKind::Query => &self.query,
            TextKind::Document => &self.document,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_for_other_kinds_of_models_are_refused() {
        let options = EncodeOptions::default;
        let cases = [
            (ModelKind::Dense, options().with_dimensions(8)),
            (
                ModelKind::MultiVector,
                options().with_query_expansion(QueryExpansion::On),
            ),
            (
                ModelKind::MultiVector,
                options().with_pooling(Pooling::by(2)),
            ),
        ];
        let kinds = [
            ModelKind::MultiVector,
            ModelKind::Dense,
            ModelKind::Sparse,
            ModelKind::CrossEncoder,
        ];
        for (of, options) in cases {
            for kind in kinds {
                assert_eq!(options.check_kind(kind).is_ok(), kind == of, "{kind}");
                assert!(EncodeOptions::default().check_kind(kind).is_ok());
            }
        }
    }
}
