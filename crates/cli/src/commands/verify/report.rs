//! Measurements and the thresholds that they are held to.

use std::fmt;

use clap::Args;
use multivec::fidelity::{BatchInvariance, Cosines, RankingAgreement, StorageAgreement};
use multivec::{BackendInfo, Error, ModelKind, Quantization, Result};
use serde_json::{Value, json};

use super::storage;
use crate::console::print;

/// What a model has to reach, by threshold that is set.
#[derive(Args)]
pub(crate) struct Thresholds {
    /// Minimum mean cosine of token vectors.
    #[arg(long, value_name = "X")]
    min_mean: Option<f64>,
    /// Minimum fifth percentile of the cosines.
    #[arg(long, value_name = "X")]
    min_p5: Option<f64>,
    /// Minimum first percentile of the cosines.
    #[arg(long, value_name = "X")]
    min_p1: Option<f64>,
    /// Minimum of all cosines.
    #[arg(long, value_name = "X")]
    min_cosine: Option<f64>,
    /// Minimum overlap of the top 10 documents of both models.
    #[arg(long, value_name = "X")]
    min_overlap: Option<f64>,
    /// Minimum rank correlation (Kendall's tau-b) over all documents.
    #[arg(long, value_name = "X")]
    min_kendall_tau: Option<f64>,
    /// Maximum difference between a text alone and in a batch.
    #[arg(long, value_name = "X")]
    max_batch_difference: Option<f64>,
}

/// A threshold that was not reached.
pub(crate) struct Miss {
    threshold: &'static str,
    wanted: f64,
    /// `None` where it could not be measured.
    found: Option<f64>,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threshold, wanted, ..
        } = self;
        match self.found {
            Some(found) => write!(f, "--{threshold} {wanted}: found {found:.6}"),
            None => write!(f, "--{threshold} {wanted}: there was nothing to measure"),
        }
    }
}

impl Thresholds {
    fn all(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("min-mean", self.min_mean),
            ("min-p5", self.min_p5),
            ("min-p1", self.min_p1),
            ("min-cosine", self.min_cosine),
            ("min-overlap", self.min_overlap),
            ("min-kendall-tau", self.min_kendall_tau),
            ("max-batch-difference", self.max_batch_difference),
        ]
    }

    /// Refuses NaN and infinities, which would never be missed, or always.
    pub(crate) fn check(&self) -> Result<()> {
        let odd = |one: &(&'static str, Option<f64>)| one.1.is_some_and(|value| !value.is_finite());
        match self.all().into_iter().find(odd) {
            Some((name, value)) => {
                let found = value.map(|value| value.to_string()).unwrap_or_default();
                Err(Error::option(name, "a finite number", found))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn missed(&self, report: &Report) -> Vec<Miss> {
        let found = report.values();
        let pairs = self.all().into_iter().zip(found);
        let missed = pairs.filter_map(|((threshold, wanted), found)| {
            let wanted = wanted?;
            let is_met = found.is_some_and(|found| {
                if threshold.starts_with("max") {
                    found <= wanted
                } else {
                    found >= wanted
                }
            });
            (!is_met).then_some(Miss {
                threshold,
                wanted,
                found,
            })
        });
        missed.collect()
    }
}

/// A model and how it was run.
pub(crate) struct Side {
    name: String,
    precision: String,
    engine: String,
    graph: String,
}

impl Side {
    pub(crate) fn new(info: &BackendInfo, name: String) -> Self {
        Self {
            name,
            precision: match info.quantization {
                Quantization::AtLoad => format!("{}, quantized at load", info.precision),
                _ => info.precision.to_string(),
            },
            engine: format!(
                "{} {} on {}",
                info.engine, info.engine_version, info.provider
            ),
            graph: info.graph.to_string(),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "model": self.name,
            "precision": self.precision,
            "engine": self.engine,
            "graph": self.graph,
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.name, self.precision, self.engine)
    }
}

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) kind: ModelKind,
    pub(crate) model: Side,
    pub(crate) against: Side,
    pub(crate) queries: usize,
    pub(crate) documents: usize,
    pub(crate) cosines: Cosines,
    pub(crate) ranking: RankingAgreement,
    /// Of sparse vectors, how many tokens they share.
    pub(crate) support: Option<f64>,
    pub(crate) batch: BatchInvariance,
    pub(crate) storage: Vec<StorageAgreement>,
}

impl Report {
    /// The measured values, in the order of [`Thresholds::all`].
    fn values(&self) -> [Option<f64>; 7] {
        let has_queries = self.queries > 0 && self.documents > 0;
        [
            Some(self.cosines.mean()),
            Some(self.cosines.percentile(5.)),
            Some(self.cosines.percentile(1.)),
            Some(self.cosines.minimum()),
            has_queries.then_some(self.ranking.overlap),
            self.ranking.kendall_tau,
            Some(f64::from(self.batch.largest())),
        ]
    }

    /// What cosines are of.
    fn compared(&self) -> &'static str {
        match self.kind {
            ModelKind::MultiVector => "tokens",
            ModelKind::CrossEncoder => "queries with the logits of all documents",
            _ => "texts",
        }
    }

    pub(crate) fn to_json(&self, missed: &[Miss]) -> Value {
        let miss = |miss: &Miss| json!({ "threshold": miss.threshold, "wanted": miss.wanted, "found": miss.found });
        json!({
            "kind": self.kind.to_string(),
            "support_overlap": self.support,
            "model": self.model.to_json(),
            "against": self.against.to_json(),
            "cosine": {
                "tokens": self.cosines.tokens(),
                "mean": self.cosines.mean(),
                "p5": self.cosines.percentile(5.),
                "p1": self.cosines.percentile(1.),
                "minimum": self.cosines.minimum(),
            },
            "ranking": {
                "queries": self.queries,
                "documents": self.documents,
                "top": self.ranking.top,
                "overlap": self.ranking.overlap,
                "kendall_tau": self.ranking.kendall_tau,
            },
            "batch": {
                "in_batch": self.batch.in_batch,
                "reordered": self.batch.reordered,
                "beside_longest": self.batch.beside_longest,
            },
            "storage": storage::to_json(&self.storage),
            "missed": missed.iter().map(miss).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn print(&self) -> Result<()> {
        let cosines = &self.cosines;
        print(&format!("model       {}", self.model))?;
        print(&format!("against     {}", self.against))?;
        print(&format!(
            "cosine      mean {:.5}, 5th percentile {:.5}, 1st percentile {:.5}, minimum {:.5}, \
             over {} {}",
            cosines.mean(),
            cosines.percentile(5.),
            cosines.percentile(1.),
            cosines.minimum(),
            cosines.tokens(),
            self.compared(),
        ))?;
        if let Some(overlap) = self.support {
            print(&format!(
                "support     {overlap:.4} of the tokens of both vectors"
            ))?;
        }
        let tau = match self.ranking.kendall_tau {
            Some(tau) => format!("{tau:.5}"),
            None => "none".to_owned(),
        };
        print(&format!(
            "ranking     overlap of the top {} {:.4}, Kendall's tau-b {tau}, over {} queries and \
             {} documents",
            self.ranking.top, self.ranking.overlap, self.queries, self.documents
        ))?;
        print(&format!(
            "batches     differences up to {:.1e} in batches of 32, {:.1e} in another order, \
             {:.1e} beside the longest text",
            self.batch.in_batch, self.batch.reordered, self.batch.beside_longest
        ))?;
        storage::print_all(&self.storage)
    }
}
