//! What JavaScript asks for of a model.

use multivec_core::{ModelKind, Precision};
use serde::Deserialize;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase", expecting = "`fp32` or `int8`")]
enum Weights {
    Fp32,
    Int8,
}

impl From<Weights> for Precision {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Fp32 => Self::Fp32,
            Weights::Int8 => Self::Int8,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "a kind of model")]
enum Model {
    MultiVector,
    Dense,
    Sparse,
    CrossEncoder,
    Hybrid,
}

impl From<Model> for ModelKind {
    fn from(model: Model) -> Self {
        match model {
            Model::MultiVector => Self::MultiVector,
            Model::Dense => Self::Dense,
            Model::Sparse => Self::Sparse,
            Model::CrossEncoder => Self::CrossEncoder,
            Model::Hybrid => Self::Hybrid,
        }
    }
}

/// What was asked for of a model.
#[derive(Deserialize)]
pub(super) struct Wanted {
    precision: Option<Weights>,
    kind: Option<Model>,
}

impl Wanted {
    pub(super) fn precision(&self) -> Option<Precision> {
        self.precision.map(Precision::from)
    }

    pub(super) fn kind(&self) -> Option<ModelKind> {
        self.kind.map(ModelKind::from)
    }
}

/// Weights to load.
#[derive(Deserialize)]
pub(super) struct ChosenWeights {
    pub(super) path: String,
    pub(super) wanted: Wanted,
}
