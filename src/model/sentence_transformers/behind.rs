//! The modules behind the transformer.

use super::super::MODULES;
use super::super::dense::{self, Rows, WithoutActivation};
use super::super::files::{Files, join};
use super::super::layers::{Dense, Module};
use super::super::modules::{self, Entry, Kind};
use crate::config::{Keys, ModelConfig, SkiplistTexts, TextKind};
use crate::error::{Error, Result};
use crate::normalization::Normalization;
use crate::pool::Pooling;

/// What they are together.
pub(super) struct Behind {
    pub(super) chain: Vec<Module>,
    pub(super) normalization: Normalization,
    pub(super) pooling: Option<Pooling>,
    pub(super) has_mask: bool,
}

impl Behind {
    pub(super) fn read(files: &Files, entries: &[Entry], config: &mut ModelConfig) -> Result<Self> {
        let mut chain = Vec::new();
        let (mut pooling, mut has_mask) = (None, false);
        for entry in entries {
            let is_after_pooling = pooling.is_some();
            match entry.kind {
                Kind::Dense if !is_after_pooling => {
                    let dense = dense::read(files, entry, Rows::Tokens, &WithoutActivation::Tanh)?;
                    chain.push(Module::Dense(dense));
                }
                Kind::Normalize if !is_after_pooling => {
                    if is_of_tokens(files, entry)? {
                        chain.push(Module::Normalize);
                    }
                }
                Kind::Mask if !has_mask && !is_after_pooling => {
                    read_mask(files, entry, config)?;
                    has_mask = true;
                }
                Kind::TokenPooling if !is_after_pooling => {
                    pooling = read_pooling(files, entry, chain.last())?;
                }
                _ => return Err(modules::refused(&files.name(MODULES), entry)),
            }
        }
        let is_normalized = chain.pop_if(|last| *last == Module::Normalize).is_some();
        Ok(Self {
            chain,
            normalization: if is_normalized {
                Normalization::L2
            } else {
                Normalization::Off
            },
            pooling,
            has_mask,
        })
    }

    pub(super) fn dense(&self) -> impl Iterator<Item = &Dense> {
        self.chain.iter().filter_map(|module| match module {
            Module::Dense(dense) => Some(dense),
            Module::Normalize => None,
        })
    }
}

/// Whether a Normalize module normalizes rows. One for sentence embeddings, of
/// which there are none, does nothing.
fn is_of_tokens(files: &Files, entry: &Entry) -> Result<bool> {
    let path = join(&entry.folder, "config.json");
    let keys = files.keys(&path)?;
    let name = |key| {
        Ok::<_, Error>(
            keys.as_ref()
                .map(|keys| keys.string(key))
                .transpose()?
                .flatten(),
        )
    };
    let input = name("module_input_name")?.unwrap_or_else(|| "sentence_embedding".to_owned());
    let output = name("module_output_name")?.unwrap_or_else(|| input.clone());
    match (&*input, &*output) {
        ("token_embeddings", "token_embeddings") => Ok(true),
        ("sentence_embedding", _) => {
            let reason = "it normalizes sentence embeddings, and there are none";
            if files.has(&path) {
                files.leave_file(&path, reason)
            } else {
                files.leave_key(MODULES, &entry.class, reason)
            }
            Ok(false)
        }
        _ => Err(Error::config_value(
            files.name(&path),
            "module_input_name",
            "`token_embeddings` as input and output",
            format_args!("`{input}` and `{output}`"),
        )),
    }
}

fn read_mask(files: &Files, entry: &Entry, config: &mut ModelConfig) -> Result<()> {
    let path = join(&entry.folder, "config.json");
    let keys = files.require(&path, "the configuration of the mask")?;
    config.skiplist_words = keys.strings("skiplist_words")?.unwrap_or_default();
    config.keep_only_token_ids = keys.ids("keep_only_token_ids")?.unwrap_or_default();
    let tasks = tasks(&keys, "skiplist_tasks")?;
    match (
        tasks.include(TextKind::Query),
        tasks.include(TextKind::Document),
    ) {
        (true, true) => config.skiplist_texts = SkiplistTexts::All,
        (true, false) => config.skiplist_texts = SkiplistTexts::Queries,
        (false, true) => config.skiplist_texts = SkiplistTexts::Documents,
        (false, false) => {
            files.leave_key(&path, "skiplist_words", "no task uses it");
            config.skiplist_words.clear();
        }
    }
    files.leave_unread(&path, &keys, &[]);
    Ok(())
}

/// The kinds of text that a module is for.
struct Tasks(Vec<String>);

impl Tasks {
    fn include(&self, kind: TextKind) -> bool {
        let name = match kind {
            TextKind::Query => "query",
            TextKind::Document => "document",
        };
        self.0.iter().any(|task| task == name)
    }
}

/// One task or a list of them; documents by default.
fn tasks(keys: &Keys, key: &'static str) -> Result<Tasks> {
    if keys.get(key).is_some_and(|value| value.is_string()) {
        return Ok(Tasks(keys.string(key)?.into_iter().collect()));
    }
    let tasks = keys.strings(key)?;
    Ok(Tasks(tasks.unwrap_or_else(|| vec!["document".to_owned()])))
}

/// Pooling of documents by clusters of rows that have unit length.
fn read_pooling(files: &Files, entry: &Entry, last: Option<&Module>) -> Result<Option<Pooling>> {
    let path = join(&entry.folder, "config.json");
    let keys = files.require(&path, "the configuration of token pooling")?;
    let factor = keys.count("pool_factor")?.unwrap_or(1);
    let protected = keys.typed("num_protected_tokens", "a number of tokens", |value| {
        value.as_u64()?.try_into().ok()
    })?;
    let tasks = tasks(&keys, "tasks")?;
    if factor == 1 || !tasks.include(TextKind::Document) && !tasks.include(TextKind::Query) {
        files.leave_file(&path, "it pools nothing");
        return Ok(None);
    }
    if tasks.include(TextKind::Query) {
        return Err(keys.error("tasks", "documents alone", "queries"));
    }
    if last != Some(&Module::Normalize) {
        let expected = "pooling of rows that a Normalize module has scaled to unit length";
        return Err(keys.error("pool_factor", expected, "no such module before it"));
    }
    files.leave_unread(&path, &keys, &[]);
    Ok(Some(
        Pooling::by(factor).with_protected_tokens(protected.unwrap_or(1)),
    ))
}
