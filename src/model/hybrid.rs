//! Models of several kinds at once: BGE-M3, in an exported graph with three
//! outputs, or as a transformer with heads in files beside it.
//!
//! Source: FlagEmbedding, `inference/embedder/encoder_only/m3.py` and
//! `finetune/embedder/encoder_only/m3/modeling.py`.

use multivec_graph::Graph;
use multivec_graph::hybrid::{HybridOutputs, HybridPart};

use super::description::ModelDescription;
use super::files::{Files, join};
use super::kind::{HeadDescription, HybridDescription, HybridHeads, ModelKind};
use crate::config::FirstRow;
use crate::dense::TokenPooling;
use crate::error::{Error, Result};
use crate::normalization::Normalization;

/// Names of the heads' files, without their endings: of weights, of vectors.
const HEADS: [&str; 2] = ["sparse_linear", "colbert_linear"];

const PICKLED: &str = "a pickle, which is not read: programs may hide in it. As .safetensors it \
                       would add a kind to the model";

/// Adds the heads beside a dense model's transformer.
pub(super) fn with_heads(files: &Files, model: ModelDescription) -> ModelDescription {
    let folder = model.transformer.as_ref().map(|found| found.folder.clone());
    let folder = folder.unwrap_or_default();
    let named = |ending: &str| HEADS.map(|head| join(&folder, &format!("{head}.{ending}")));
    let paths = named("safetensors");
    if !paths.iter().all(|path| files.has(path)) {
        for path in named("pt").iter().filter(|path| files.has(path)) {
            files.leave_file(path, PICKLED);
        }
        return model;
    }
    let is_first = match &model.head {
        HeadDescription::Dense(dense) => {
            // Without modules, mean pooling is but a default.
            let is_stated = files.has(super::MODULES);
            let of_first = dense.pooling.modes == [TokenPooling::Cls];
            dense.modules.is_empty() && model.modules.is_empty() && (of_first || !is_stated)
        }
        _ => false,
    };
    if !is_first {
        let reason = "vectors of texts are not the states of their first tokens";
        for path in &paths {
            files.leave_file(path, reason);
        }
        return model;
    }
    for path in &paths {
        files.use_file(path);
    }
    let [weights, tokens] = paths;
    let heads = HybridHeads { weights, tokens };
    hybrid(model, HybridDescription::of_heads(heads))
}

fn hybrid(model: ModelDescription, head: HybridDescription) -> ModelDescription {
    let mut config = model.config;
    // The first token's vector is that of the text.
    config.first_row = FirstRow::Dropped;
    ModelDescription {
        head: HeadDescription::Hybrid(head),
        config,
        normalization: Normalization::L2,
        ..model
    }
}

impl ModelDescription {
    /// The kinds that the model can be loaded as, that of all outputs together
    /// first.
    pub fn kinds(&self) -> Vec<ModelKind> {
        match &self.head {
            HeadDescription::Hybrid(_) => vec![
                ModelKind::Hybrid,
                ModelKind::MultiVector,
                ModelKind::Dense,
                ModelKind::Sparse,
            ],
            head => vec![head.kind()],
        }
    }

    /// The description once an exported graph is known: one of texts may turn
    /// out to give weights and vectors of tokens as well.
    #[must_use]
    pub fn with_graph(self, graph: &Graph) -> Self {
        let outputs = match &self.head {
            HeadDescription::Dense(_) => self.hybrid_outputs(graph),
            _ => None,
        };
        match outputs {
            Some(outputs) => hybrid(self, HybridDescription::of_outputs(&outputs)),
            None => self,
        }
    }

    pub(super) fn hybrid_outputs(&self, graph: &Graph) -> Option<HybridOutputs> {
        let hidden = self
            .transformer
            .as_ref()
            .and_then(|found| found.hidden_size);
        HybridOutputs::find(graph, hidden)
    }

    /// The model as one of this kind, if it is of several.
    ///
    /// # Errors
    /// [`Error::MissingFile`] if a head of that kind is in a format that is not
    /// read.
    pub fn of_kind(mut self, wanted: ModelKind) -> Result<Self> {
        if let HeadDescription::Hybrid(hybrid) = &mut self.head {
            hybrid.part = match wanted {
                ModelKind::Dense => HybridPart::Text,
                ModelKind::Sparse => HybridPart::Weights,
                ModelKind::MultiVector => HybridPart::Tokens,
                _ => HybridPart::All,
            };
            return Ok(self);
        }
        let is_head = wanted != self.kind() && wanted != ModelKind::CrossEncoder;
        let pickled = self.unused.iter().find(|unused| unused.reason == PICKLED);
        match pickled.filter(|_| is_head) {
            Some(found) => Err(Error::missing_file(
                &self.config.file,
                "the heads of a model of several kinds",
                format_args!(
                    "{}.safetensors and {}.safetensors; {} is {PICKLED}",
                    HEADS[0], HEADS[1], found.file
                ),
            )),
            None => Ok(self),
        }
    }
}
