//! The files of what is behind a graph.

use crate::model::description::ModelDescription;
use crate::model::kind::{HeadDescription, StaticTable};
use crate::model::layers::{DenseWeights, Module};

impl ModelDescription {
    /// The paths of the files beside the transformer's that hold weights: those
    /// of modules, in the graph and behind it.
    pub fn module_files(&self) -> Vec<String> {
        let mut files: Vec<String> = self.modules.iter().filter_map(file).collect();
        files.extend(self.head_files());
        files
    }

    /// The paths of the files that hold weights of what is behind the graph.
    pub(crate) fn head_files(&self) -> Vec<String> {
        match &self.head {
            HeadDescription::Dense(dense) => dense.modules.iter().filter_map(file).collect(),
            HeadDescription::Sparse(sparse) => match &sparse.queries {
                Some(StaticTable::Safetensors(path) | StaticTable::Json(path)) => {
                    vec![path.clone()]
                }
                None => Vec::new(),
            },
            HeadDescription::Hybrid(hybrid) => match &hybrid.heads {
                Some(heads) => vec![heads.weights.clone(), heads.tokens.clone()],
                None => Vec::new(),
            },
            HeadDescription::MultiVector | HeadDescription::CrossEncoder(_) => Vec::new(),
        }
    }
}

/// The file that holds a module's weights alone.
fn file(module: &Module) -> Option<String> {
    match module {
        Module::Dense(dense) => match &dense.weights {
            DenseWeights::File(path) => Some(path.clone()),
            DenseWeights::Transformer => None,
        },
        Module::Normalize => None,
    }
}
