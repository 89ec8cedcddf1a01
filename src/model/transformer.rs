//! `config.json` of a transformer, and where its weights are.

use multivec_graph::architectures::model_type_of;

use super::description::{Transformer, WeightsFile};
use super::files::{Files, join};
use crate::config::Keys;
use crate::error::{Error, Result};

/// Families whose positions are counted from behind the padding token's id.
const OFFSET_POSITIONS: [&str; 8] = [
    "camembert",
    "data2vec-text",
    "longformer",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
];

/// Reads `config.json` in a folder.
pub(super) fn read(files: &Files, folder: &str) -> Result<Transformer> {
    let config = join(folder, "config.json");
    let keys = files.require(&config, "the configuration of the transformer")?;
    let Some(model_type) = model_type(&keys)? else {
        return Err(keys.error("model_type", "the family of the transformer", "none"));
    };
    Ok(Transformer {
        folder: folder.to_owned(),
        architectures: keys.strings("architectures")?.unwrap_or_default(),
        hidden_size: first(&keys, ["hidden_size", "n_embd", "d_model", "dim"])?,
        positions: positions(&keys, &model_type)?,
        model_type,
        config,
    })
}

fn model_type(keys: &Keys) -> Result<Option<String>> {
    if let Some(stated) = keys.string("model_type")? {
        return Ok(Some(stated));
    }
    let class = match keys.object("auto_map")? {
        Some(classes) => classes.string("AutoConfig")?,
        None => None,
    };
    Ok(class
        .and_then(|class| model_type_of(&class))
        .map(str::to_owned))
}

fn first<const N: usize>(keys: &Keys, names: [&'static str; N]) -> Result<Option<usize>> {
    for name in names {
        if keys.has(name) {
            return keys.count(name);
        }
    }
    Ok(None)
}

fn positions(keys: &Keys, model_type: &str) -> Result<Option<usize>> {
    let names = ["max_position_embeddings", "n_positions"];
    // Some families write -1 where there is no limit.
    let is_limited = |name: &&str| {
        keys.get(name)
            .is_some_and(|value| value.as_i64() != Some(-1))
    };
    let Some(name) = names.into_iter().find(is_limited) else {
        return Ok(None);
    };
    let count = keys.typed(name, "a number of tokens", |value| {
        value.as_u64()?.try_into().ok()
    })?;
    let padding = if OFFSET_POSITIONS.contains(&model_type) {
        keys.id("pad_token_id")?.unwrap_or(1) as usize + 1
    } else {
        0
    };
    Ok(count.map(|count: usize| count.saturating_sub(padding)))
}

/// Graphs that are as exact as the original come first, in the root before the
/// folder `onnx`.
const GRAPHS: [&str; 4] = [
    "model.onnx",
    "model_O1.onnx",
    "model_O2.onnx",
    "model_O3.onnx",
];

/// ONNX graphs beside a transformer.
pub(super) fn graphs(files: &Files, folder: &str) -> Vec<WeightsFile> {
    let folders = [folder.to_owned(), join(folder, "onnx")];
    let mut found: Vec<_> = files
        .paths()
        .filter(|path| path.ends_with(".onnx"))
        .filter_map(|path| {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let place = folders.iter().position(|folder| folder == parent)?;
            let known = GRAPHS.iter().position(|graph| *graph == name);
            Some((known.unwrap_or(GRAPHS.len()), place, path))
        })
        .collect();
    found.sort_unstable();
    let graph = |(_, _, path): (usize, usize, &str)| {
        files.use_file(path);
        WeightsFile::Onnx(path.to_owned())
    };
    found.into_iter().map(graph).collect()
}

/// Weights of a transformer: safetensors first, then graphs.
pub(super) fn weights(files: &Files, folder: &str) -> Result<Vec<WeightsFile>> {
    let mut found = Vec::new();
    let single = join(folder, "model.safetensors");
    let index = join(folder, "model.safetensors.index.json");
    if files.has(&single) {
        files.use_file(&single);
        found.push(WeightsFile::Safetensors(single.clone()));
    }
    if files.has(&index) {
        files.use_file(&index);
        use_shards(files, folder);
        found.push(WeightsFile::SafetensorsIndex(index.clone()));
    }
    found.extend(graphs(files, folder));
    if !found.is_empty() {
        return Ok(found);
    }
    let torch = join(folder, "pytorch_model.bin");
    let note = if files.has(&torch) {
        format!("; {torch} is in a format that is not read")
    } else {
        String::new()
    };
    Err(Error::missing_file(
        files.location(),
        "the weights",
        format_args!("{single}, {index}, an ONNX graph{note}"),
    ))
}

fn use_shards(files: &Files, folder: &str) {
    let start = join(folder, "model-");
    for path in files.paths() {
        if path.starts_with(&start) && path.ends_with(".safetensors") {
            files.use_file(path);
        }
    }
}
