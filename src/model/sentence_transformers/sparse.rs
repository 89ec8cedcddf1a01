//! `SparseEncoder`: SPLADE, with or without a transformer for queries.

use multivec_graph::modules::{SpladeActivation, SpladePooling, SpladeStrategy};

use super::super::description::{Format, ModelDescription};
use super::super::files::{Files, join};
use super::super::kind::{HeadDescription, SparseDescription, StaticTable};
use super::super::modules::{self, Entry, Kind};
use super::super::{MODULES, SENTENCE_TRANSFORMERS, router, transformer};
use super::text::FILL_MASK;
use super::{Common, split};
use crate::error::{Error, Result};
use crate::normalization::Normalization;

pub(in crate::model) fn read(files: &Files) -> Result<ModelDescription> {
    let (entries, queries, format) = entries(files)?;
    let (folder, rest) = split(&entries);
    let mut common = Common::read(files, folder)?;
    common.read_texts(files, &FILL_MASK)?;
    common.keys.string("similarity_fn_name")?;
    files.leave_unread(SENTENCE_TRANSFORMERS, &common.keys, &["__version__"]);
    let pooling = match (rest, format) {
        ([], Format::Transformers) => {
            SpladePooling::new(SpladeStrategy::Max, SpladeActivation::Relu)
        }
        ([entry], _) if entry.kind == Kind::SpladePooling => pooling(files, entry)?,
        ([first, rest @ ..], _) => {
            let is_known = first.kind == Kind::SpladePooling;
            let other = rest.first().filter(|_| is_known).unwrap_or(first);
            return Err(modules::refused(&files.name(MODULES), other));
        }
        ([], _) => {
            let expected = "SpladePooling behind the transformer";
            return Err(Error::config_value(
                files.name(MODULES),
                "type",
                expected,
                "none",
            ));
        }
    };
    Ok(ModelDescription {
        format,
        head: HeadDescription::Sparse(SparseDescription { pooling, queries }),
        config: common.config,
        tokenizer: common.tokenizer,
        weights: transformer::weights(files, folder)?,
        transformer: Some(common.transformer),
        modules: Vec::new(),
        normalization: Normalization::Off,
        pooling: None,
        unused: Vec::new(),
    })
}

/// The modules for documents, the weights of queries if these have no
/// transformer, and the format.
fn entries(files: &Files) -> Result<(Vec<Entry>, Option<StaticTable>, Format)> {
    if !files.has(MODULES) {
        return Ok((Vec::new(), None, Format::Transformers));
    }
    let list = modules::list(files)?;
    let (entries, queries) = match list.as_slice() {
        [entry] if entry.kind == Kind::Router => {
            let routes = router::read(files, entry)?;
            let queries = queries(files, &routes.queries, &routes.documents)?;
            (routes.documents, queries)
        }
        _ => (modules::read(files)?, None),
    };
    Ok((entries, queries, Format::SentenceTransformers))
}

/// The weights of queries, unless they are encoded as documents are.
fn queries(files: &Files, queries: &[Entry], documents: &[Entry]) -> Result<Option<StaticTable>> {
    let folders = |entries: &[Entry]| -> Vec<String> {
        entries.iter().map(|entry| entry.folder.clone()).collect()
    };
    match queries {
        [entry] if entry.kind == Kind::StaticWeights => static_table(files, entry).map(Some),
        _ if folders(queries) == folders(documents) => Ok(None),
        [] => Err(Error::config_value(
            files.name(MODULES),
            "structure",
            "modules for queries",
            "none",
        )),
        [entry, ..] => Err(modules::refused(&files.name(MODULES), entry)),
    }
}

fn static_table(files: &Files, entry: &Entry) -> Result<StaticTable> {
    let config = join(&entry.folder, "config.json");
    let path = match files.keys(&config)? {
        Some(keys) => {
            keys.boolean("frozen")?;
            let path = keys.string("path")?;
            files.leave_unread(&config, &keys, &[]);
            path
        }
        None => None,
    };
    let beside = |name: &str| join(&entry.folder, name);
    let table = match path.filter(|path| path.ends_with(".json")) {
        // As it was named where the model was made; the file is beside it.
        Some(path) => {
            let name = path.rsplit(['/', '\\']).next().unwrap_or(&path);
            StaticTable::Json(beside(name))
        }
        None if files.has(&beside("model.safetensors")) => {
            StaticTable::Safetensors(beside("model.safetensors"))
        }
        None => StaticTable::Json(beside("idf.json")),
    };
    let (StaticTable::Json(path) | StaticTable::Safetensors(path)) = &table;
    if !files.has(path) {
        let what = "the weights of tokens in queries";
        return Err(Error::missing_file(files.location(), what, path));
    }
    files.use_file(path);
    Ok(table)
}

fn pooling(files: &Files, entry: &Entry) -> Result<SpladePooling> {
    let path = join(&entry.folder, "config.json");
    let keys = files.require(&path, "the configuration of the pooling")?;
    let strategy = match keys.string("pooling_strategy")?.as_deref() {
        None | Some("max") => SpladeStrategy::Max,
        Some("sum") => SpladeStrategy::Sum,
        Some(other) => {
            let found = format_args!("`{other}`");
            return Err(keys.error("pooling_strategy", "`max` or `sum`", found));
        }
    };
    let activation = match keys.string("activation_function")?.as_deref() {
        None | Some("relu") => SpladeActivation::Relu,
        Some("log1p_relu") => SpladeActivation::Log1pRelu,
        Some(other) => {
            let found = format_args!("`{other}`");
            return Err(keys.error("activation_function", "`relu` or `log1p_relu`", found));
        }
    };
    files.leave_unread(
        &path,
        &keys,
        &["embedding_dimension", "word_embedding_dimension"],
    );
    Ok(SpladePooling::new(strategy, activation))
}
