//! The modules behind a transformer, added to its graph.

use multivec_graph::Graph;
use multivec_graph::modules::{self, append_normalization, append_splade};
use multivec_graph::safetensors::WeightIndex;

use super::ModelStore;
use crate::error::{Error, Result};
use crate::model::description::ModelDescription;
use crate::model::files::join;
use crate::model::kind::HeadDescription;
use crate::model::layers::{Dense, DenseWeights, Module};

/// What modules are added to.
pub(super) struct Target<'a> {
    pub(super) graph: &'a mut Graph,
    /// Its name in messages.
    pub(super) file: &'a str,
    /// The output with the transformer's states.
    pub(super) output: &'a str,
    /// The transformer's own weights, where the graph is made of them.
    pub(super) index: Option<&'a WeightIndex>,
}

/// Adds the modules; returns the paths of the files that hold their weights.
pub(super) fn append(
    description: &ModelDescription,
    target: Target<'_>,
    store: &impl ModelStore,
) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut output = target.output.to_owned();
    for module in &description.modules {
        output = match module {
            Module::Dense(dense) => {
                let (layer, file) = layer(dense, target.index, store)?;
                files.extend(file);
                layer.append_to(target.graph, target.file, &output)?
            }
            Module::Normalize => append_normalization(target.graph, target.file, &output)?,
        };
    }
    if let HeadDescription::Sparse(sparse) = &description.head {
        append_splade(target.graph, target.file, &output, sparse.pooling)?;
    }
    Ok(files)
}

/// A layer, and the file that holds its weights unless those are the
/// transformer's.
fn layer(
    dense: &Dense,
    transformer: Option<&WeightIndex>,
    store: &impl ModelStore,
) -> Result<(modules::Dense, Option<String>)> {
    let path = match (&dense.weights, transformer) {
        (DenseWeights::File(path), _) => path.clone(),
        (DenseWeights::Transformer, Some(index)) => return Ok((projection(index, store)?, None)),
        // The layer is in the weights that the graph was exported from.
        (DenseWeights::Transformer, None) => join(&dense.folder, "model.safetensors"),
    };
    let mut index = WeightIndex::new();
    store.index(&path, &mut index)?;
    let layer = match &dense.weights {
        DenseWeights::Transformer => projection(&index, store)?,
        DenseWeights::File(_) => {
            let config = join(&dense.folder, "config.json");
            modules::Dense::from_config(&store.name(&config), &store.read(&config)?, &index)?
        }
    };
    Ok((layer, Some(path)))
}

fn projection(index: &WeightIndex, store: &impl ModelStore) -> Result<modules::Dense> {
    modules::Dense::from_model(index)?.ok_or_else(|| {
        let expected = "a tensor `linear.weight`";
        Error::missing_file(store.location(), "the projection", expected)
    })
}
