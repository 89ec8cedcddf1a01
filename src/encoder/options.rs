//! What a user can set about encoding.

use crate::batch::{BatchLimit, BatchShapes};
use crate::config::{ModelConfig, TextKind};
use crate::error::{Error, Result};
use crate::pool::Pooling;
use crate::tokenize::{Layout, TextTokenizer, TruncationPolicy};

/// Whether rows are scaled to length 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalization {
    /// Divide each row by its L2 norm, so that products are cosines.
    #[default]
    L2,
    /// Leave rows as the model's last projection gives them.
    Off,
}

/// Whether queries are filled up with mask tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryExpansion {
    /// As the model's configuration says.
    #[default]
    Model,
    /// Fill up to the query length.
    On,
    /// Leave queries as long as they are.
    Off,
}

/// Options of encoding that no engine needs to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// Most tokens of a query; the model's own length by default.
    pub query_length: Option<usize>,
    /// Most tokens of a document; the model's own length by default.
    pub document_length: Option<usize>,
    /// Whether queries are filled up with mask tokens.
    pub query_expansion: QueryExpansion,
    /// What to do with longer texts.
    pub truncation: TruncationPolicy,
    /// Whether rows are scaled to length 1.
    pub normalization: Normalization,
    /// How far documents are pooled; `None` for not at all.
    pub pooling: Option<Pooling>,
    /// How much goes into one run of the engine.
    pub batch_limit: BatchLimit,
    /// Which shapes batches have.
    pub batch_shapes: BatchShapes,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            query_length: None,
            document_length: None,
            query_expansion: QueryExpansion::Model,
            truncation: TruncationPolicy::Truncate,
            normalization: Normalization::L2,
            pooling: None,
            batch_limit: BatchLimit::Auto,
            batch_shapes: BatchShapes::Auto,
        }
    }
}

/// Far beyond any model; keeps a mistyped length from exhausting the memory.
const LONGEST: usize = 1_000_000;

/// Options checked against a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) query: Layout,
    pub(super) document: Layout,
    pub(super) normalization: Normalization,
    pub(super) pooling: Option<Pooling>,
    pub(super) batch_limit: BatchLimit,
    pub(super) batch_shapes: BatchShapes,
}

impl EncodeOptions {
    pub(super) fn plan(&self, config: &ModelConfig, tokenizer: &TextTokenizer) -> Result<Plan> {
        let expand = match self.query_expansion {
            QueryExpansion::Model => config.do_query_expansion,
            QueryExpansion::On => true,
            QueryExpansion::Off => false,
        };
        if expand {
            tokenizer.mask_id()?;
        }
        if let Some(pooling) = self.pooling
            && pooling.factor == 0
        {
            return Err(Error::option("pool_factor", "1 or more", 0));
        }
        match self.batch_limit {
            BatchLimit::Texts(0) => return Err(Error::option("batch_size", "1 or more", 0)),
            BatchLimit::Tokens(0) => return Err(Error::option("token_budget", "1 or more", 0)),
            _ => {}
        }
        let layout = |kind, given: Option<usize>, expand| {
            let least = tokenizer.overhead(kind).max(1);
            let length = given.unwrap_or_else(|| config.length(kind));
            let key = kind.length_key();
            let expected = format!("{least} to {LONGEST}, with room for the special tokens");
            match given {
                _ if (least..=LONGEST).contains(&length) => Ok(Layout {
                    kind,
                    length,
                    expand,
                    policy: self.truncation,
                }),
                Some(_) => Err(Error::option(key, expected, length)),
                None => Err(config.error(key, expected, length.to_string())),
            }
        };
        Ok(Plan {
            query: layout(TextKind::Query, self.query_length, expand)?,
            document: layout(TextKind::Document, self.document_length, false)?,
            normalization: self.normalization,
            pooling: self.pooling,
            batch_limit: self.batch_limit,
            batch_shapes: self.batch_shapes,
        })
    }
}

impl Plan {
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
