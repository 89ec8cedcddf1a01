//! `MultiVectorEncoder` of sentence-transformers 6.

use super::description::{Dense, Format, ModelDescription, Module, Transformer};
use super::files::{Files, join};
use super::modules::{self, Entry, Kind, WithoutActivation};
use super::{MODULES, SENTENCE_TRANSFORMERS, sentence_bert, tokenizer, transformer};
use crate::config::{
    Keys, ModelConfig, PrefixStyle, Preparation, SkiplistTexts, TextKind, UnknownWords,
};
use crate::error::{Error, Result};
use crate::normalization::Normalization;
use crate::pool::Pooling;

pub(super) fn read(files: &Files) -> Result<ModelDescription> {
    let keys = files.require(SENTENCE_TRANSFORMERS, "the configuration")?;
    keys.string("model_type")?;
    let mut config = ModelConfig::empty(keys.file());
    config.prefix_style = PrefixStyle::Text;
    config.preparation = Preparation::Verbatim;
    config.unknown_skiplist_words = UnknownWords::Ignored;
    read_prompts(files, &keys, &mut config)?;
    let entries = modules::read(files)?;
    let (folder, rest) = modules::split(&entries);
    let transformer = transformer::read(files, folder)?;
    let tokenizer = tokenizer::read(files, folder)?;
    let (text_file, text) = sentence_bert::read(files, folder)?;
    let limit = limit(&text, &transformer, tokenizer.longest)?;
    let behind = Behind::read(files, rest, &mut config)?;
    read_lengths(&text, limit, &mut config)?;
    if !behind.has_mask && !config.attend_to_expansion_tokens {
        // Nothing sees the tokens of expansion, and they become no rows.
        config.do_query_expansion = false;
        config.expansion_length = None;
    }
    check_task(&text)?;
    config.do_lower_case = text.boolean("do_lower_case")?.unwrap_or(false);
    config.tokenizer = tokenizer.facts;
    files.leave_unread(&text_file, &text, &[]);
    files.leave_unread(SENTENCE_TRANSFORMERS, &keys, &["__version__"]);
    modules::check_widths(files, &transformer, behind.dense())?;
    Ok(ModelDescription {
        format: Format::SentenceTransformers,
        config,
        tokenizer: tokenizer.path,
        weights: transformer::weights(files, folder)?,
        transformer: Some(transformer),
        modules: behind.chain,
        normalization: behind.normalization,
        pooling: behind.pooling,
        unused: Vec::new(),
    })
}

/// Queries and documents have the prompts of these names, or none.
fn read_prompts(files: &Files, keys: &Keys, config: &mut ModelConfig) -> Result<()> {
    let Some(prompts) = keys.object("prompts")? else {
        return Ok(());
    };
    config.query_prefix = prompts.string("query")?.unwrap_or_default();
    config.document_prefix = prompts.string("document")?.unwrap_or_default();
    for name in prompts.unread() {
        let reason = "queries and documents have other prompts";
        files.leave_key(SENTENCE_TRANSFORMERS, &format!("prompts.{name}"), reason);
    }
    Ok(())
}

/// The model's own limit on tokens.
fn limit(text: &Keys, transformer: &Transformer, longest: Option<usize>) -> Result<Option<usize>> {
    let stated = text.count("max_seq_length")?.or(longest);
    Ok(match (stated, transformer.positions) {
        (Some(stated), Some(positions)) => Some(stated.min(positions)),
        (stated, positions) => stated.or(positions),
    })
}

fn read_lengths(text: &Keys, limit: Option<usize>, config: &mut ModelConfig) -> Result<()> {
    let unlimited = |key| {
        let expected =
            "a number of tokens, as neither the tokenizer nor the transformer has a limit";
        text.error(key, expected, "none")
    };
    let stated = |key| Ok::<_, Error>(text.count(key)?.or(limit));
    config.document_length =
        stated("document_length")?.ok_or_else(|| unlimited("document_length"))?;
    let own = text.count("query_length")?;
    let query = own.or(limit);
    let Some(expansion) = text.object("query_expansion")? else {
        config.query_length = query.ok_or_else(|| unlimited("query_length"))?;
        return Ok(());
    };
    let Some(length) = expansion.count("length")? else {
        return Err(expansion.error("length", "a number of tokens", "none"));
    };
    if let Some(own) = own.filter(|&own| own < length) {
        let expected = format!("{length} or more, the length of `query_expansion`");
        return Err(text.error("query_length", &expected, own));
    }
    match expansion.string("strategy")?.as_deref() {
        Some("fixed") => config.query_length = length,
        Some("min") => {
            config.expansion_length = Some(length);
            config.query_length = query.unwrap_or(length).max(length);
        }
        other => {
            let found = other.unwrap_or("none");
            return Err(expansion.error("strategy", "`fixed` or `min`", found));
        }
    }
    config.do_query_expansion = true;
    config.attend_to_expansion_tokens = expansion.boolean("attend")?.unwrap_or(false);
    config.expansion_token = expansion.string("token")?;
    match expansion.unread().first() {
        Some(key) => Err(text.error(
            "query_expansion",
            "the keys `strategy`, `attend`, `token` and `length`",
            format_args!("`{key}`"),
        )),
        None => Ok(()),
    }
}

/// Refuses transformers whose token states are not their last ones, and texts
/// that go through a chat template.
fn check_task(text: &Keys) -> Result<()> {
    let only = |keys: &Keys, key, expected: &str| match keys.string(key)? {
        Some(found) if found != expected => {
            Err(keys.error(key, &format!("`{expected}`"), format_args!("`{found}`")))
        }
        _ => Ok(()),
    };
    only(text, "transformer_task", "feature-extraction")?;
    only(text, "module_output_name", "token_embeddings")?;
    if let Some(inputs) = text.object("modality_config")? {
        let Some(input) = inputs.object("text")? else {
            return Err(inputs.error("text", "a model of texts", "none"));
        };
        only(&input, "method", "forward")?;
        only(&input, "method_output_name", "last_hidden_state")?;
        if inputs.has("message") {
            let found = "`message`, texts in a chat template";
            return Err(text.error("modality_config", "`text`", found));
        }
    }
    match text.object("processing_kwargs")? {
        Some(kwargs) if kwargs.has("text") || kwargs.has("common") => Err(text.error(
            "processing_kwargs",
            "none for texts",
            "settings of the tokenizer",
        )),
        _ => Ok(()),
    }
}

/// The modules behind the transformer.
struct Behind {
    chain: Vec<Module>,
    normalization: Normalization,
    pooling: Option<Pooling>,
    has_mask: bool,
}

impl Behind {
    fn read(files: &Files, entries: &[Entry], config: &mut ModelConfig) -> Result<Self> {
        let mut chain = Vec::new();
        let (mut pooling, mut has_mask) = (None, false);
        for entry in entries {
            let is_after_pooling = pooling.is_some();
            match entry.kind {
                Kind::Dense if !is_after_pooling => {
                    let dense = modules::dense(files, entry, &WithoutActivation::Tanh)?;
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
            normalization: match is_normalized {
                true => Normalization::L2,
                false => Normalization::Off,
            },
            pooling,
            has_mask,
        })
    }

    fn dense(&self) -> impl Iterator<Item = &Dense> {
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
            files.leave_file(&path, reason);
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
