//! Models as directories of ONNX files, which other programs read.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use multivec_core::encoder::Normalization;
use multivec_core::model::{Format, WeightsFile};
use multivec_core::{Error, ModelKind, ModelParts, Precision, Result, TextKind};
use multivec_graph::modules::append_normalization;
use multivec_graph::onnx::EXTERNAL;
use multivec_graph::{WeightsWriter, embed_bytes};
use serde_json::{Map, Value};

use crate::model::{Assembled, Halves, ModelDirectory, ModelGraph, assemble_to_write, is_same};

const MODEL: &str = "model.onnx";
const INT8_MODEL: &str = "model_int8.onnx";
/// The name that other exporters give it.
const DATA: &str = "_data";
/// Files of the Protocol Buffers format end at 2 GB.
const LARGEST: u64 = 1_900_000_000;

/// What [`export_model`] has written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The graph.
    pub model: PathBuf,
    /// Its weights, where they do not fit into one file with the graph.
    pub data: Option<PathBuf>,
}

/// Writes a model to the directory `output` in the layout of
/// `pylate-onnx-export`: one ONNX graph with all that follows the transformer,
/// `onnx_config.json` and `tokenizer.json`. The directory is created if it does
/// not exist.
///
/// # Errors
/// [`Error::ModelMismatch`] if the layout cannot state what the model does with
/// texts, [`Error::InvalidOption`] if the directory is the model's own,
/// [`Error::Io`] for files that cannot be read or written, and those of reading
/// the model.
pub fn export_model(
    directory: &ModelDirectory,
    weights: &WeightsFile,
    output: &Path,
) -> Result<Exported> {
    if is_same(output, directory.root()) {
        let expected = "a directory other than the model's";
        return Err(Error::option("output", expected, output.display()));
    }
    let kind = directory.description().kind();
    if kind != ModelKind::MultiVector {
        let expected = "a multi-vector model, which the layout is for";
        let found = format_args!("a {kind} model");
        let root = directory.root().display();
        return Err(Error::model_mismatch(root, "kind", expected, found));
    }
    let parts = directory.parts()?;
    let Assembled { mut model, .. } = assemble_to_write(directory, weights, Halves::Kept)?;
    let description = directory.description();
    if parts.normalization() == Normalization::L2 && description.format != Format::Exported {
        let file = model.file().to_owned();
        let name = model.graph.outputs().next().unwrap_or_default().to_owned();
        append_normalization(&mut model.graph, &file, &name)?;
    }
    let config = config(directory, &parts)?;
    let failed = |path: &Path, source| Error::io(path.display(), "writing", source);
    fs::create_dir_all(output).map_err(|source| failed(output, source))?;
    let name = match weights.named_precision() {
        Precision::Int8 => INT8_MODEL,
        _ => MODEL,
    };
    let exported = write(model, output, name)?;
    for (name, content) in [
        ("onnx_config.json", config),
        (
            "tokenizer.json",
            directory.read(&description.tokenizer)?.to_vec(),
        ),
    ] {
        let path = output.join(name);
        fs::write(&path, content).map_err(|source| failed(&path, source))?;
    }
    Ok(exported)
}

fn write(mut model: ModelGraph, output: &Path, name: &str) -> Result<Exported> {
    let path = output.join(name);
    let data_name = format!("{name}{DATA}");
    let data = (model.size()? > LARGEST).then(|| output.join(&data_name));
    let failed = |source| Error::io(output.join(&data_name).display(), "writing", source);
    let file = data
        .as_ref()
        .map(fs::File::create)
        .transpose()
        .map_err(failed)?;
    let mut writer = file.map(|file| WeightsWriter::new(&data_name, BufWriter::new(file)));
    let tensors = model.graph.proto_mut().initializer.iter_mut();
    for tensor in tensors.filter(|tensor| tensor.data_location == Some(EXTERNAL)) {
        let bytes = model.weights.read(tensor)?;
        match &mut writer {
            Some(writer) => writer.add(tensor, &bytes).map_err(failed)?,
            None => embed_bytes(tensor, bytes),
        }
    }
    if let Some(writer) = writer {
        writer.into_inner().flush().map_err(failed)?;
    }
    fs::write(&path, model.graph.into_bytes())
        .map_err(|source| Error::io(path.display(), "writing", source))?;
    Ok(Exported { model: path, data })
}

/// `onnx_config.json`, with what its readers look for.
fn config(directory: &ModelDirectory, parts: &ModelParts) -> Result<Vec<u8>> {
    const KEYS: [&str; 14] = [
        "query_prefix",
        "document_prefix",
        "query_prefix_id",
        "document_prefix_id",
        "query_length",
        "document_length",
        "do_query_expansion",
        "attend_to_expansion_tokens",
        "do_lower_case",
        "skiplist_words",
        "embedding_dim",
        "uses_token_type_ids",
        "mask_token_id",
        "pad_token_id",
    ];
    let description = directory.description();
    if description.format == Format::Exported {
        let file = description.config.file.as_str();
        return Ok(crate::model::read(Path::new(file))?);
    }
    let Ok(Value::Object(mut stated)) = serde_json::to_value(&description.config) else {
        return Ok(Vec::new());
    };
    // The ids below say the same.
    stated.remove("tokenizer");
    if let Some((key, value)) = stated.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
        return Err(Error::model_mismatch(
            &description.config.file,
            format!("`{key}`"),
            "a model whose texts the layout of pylate-onnx-export can describe",
            value.to_string(),
        ));
    }
    let tokenizer = parts.tokenizer();
    let mut object = Map::from_iter([("model_type".to_owned(), Value::from("ColBERT"))]);
    object.extend(stated.into_iter().filter(|(_, value)| !value.is_null()));
    for (key, value) in [
        ("embedding_dim", description.dim().map(Value::from)),
        ("mask_token_id", tokenizer.mask_id().ok().map(Value::from)),
        ("pad_token_id", Some(tokenizer.pad_id().into())),
        (
            "query_prefix_id",
            tokenizer.prefix_id(TextKind::Query).map(Value::from),
        ),
        (
            "document_prefix_id",
            tokenizer.prefix_id(TextKind::Document).map(Value::from),
        ),
    ] {
        object.extend(value.map(|value| (key.to_owned(), value)));
    }
    Ok(serde_json::to_vec_pretty(&object).unwrap_or_default())
}
