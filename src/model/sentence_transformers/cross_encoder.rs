//! `CrossEncoder`, or a transformer for the classification of pairs; rerankers
//! that generate text among them.

use super::super::description::{Format, ModelDescription};
use super::super::files::{Files, join};
use super::super::kind::{Answers, CrossDescription, HeadDescription};
use super::super::modules::{self, Entry, Kind};
use super::super::template::{self, MessageFormat, Setting};
use super::super::{MODULES, SENTENCE_TRANSFORMERS, TRANSFORMER, dense, transformer};
use super::text::{self, CLASSIFICATION, Chat, GENERATION};
use super::{Common, split};
use crate::activation::Activation;
use crate::config::{Keys, PairTemplate};
use crate::error::{Error, Result};
use crate::normalization::Normalization;

pub(in crate::model) fn read(files: &Files) -> Result<ModelDescription> {
    let (entries, format) = entries(files)?;
    let (folder, rest) = split(&entries);
    let answers = match rest {
        [] => None,
        [entry] if entry.kind == Kind::LogitScore => Some(answers(files, entry)?),
        [first, ..] => return Err(modules::refused(&files.name(MODULES), first)),
    };
    let mut common = Common::read(files, folder)?;
    let task = match answers {
        Some(_) => &GENERATION,
        None => &CLASSIFICATION,
    };
    if let Some(chat) = text::chat(&common.text, task)?
        && (chat.is_stated || answers.is_some())
    {
        common.config.pair_template = pair_template(files, folder, &chat)?;
    }
    common.read_plain_texts(files)?;
    common.read_default_prompt()?;
    let own = common.keys.string("activation_fn")?;
    files.leave_unread(SENTENCE_TRANSFORMERS, &common.keys, &["__version__"]);
    let config = files.require(TRANSFORMER, "the configuration of the transformer")?;
    let activation = match own {
        Some(name) => Some(dense::activation(&common.keys, &name)?),
        None => activation(&config)?,
    };
    Ok(ModelDescription {
        format,
        head: HeadDescription::CrossEncoder(CrossDescription {
            labels: match answers {
                Some(_) => Some(1),
                None => labels(&config)?,
            },
            activation,
            answers,
        }),
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

/// The template of a pair; `None` if there is no template and none is said to
/// be.
fn pair_template(files: &Files, folder: &str, chat: &Chat) -> Result<Option<PairTemplate>> {
    const KEY: &str = "chat_template";
    let path = join(folder, "chat_template.jinja");
    let beside = join(folder, "tokenizer_config.json");
    let own = match files.content(&path)? {
        Some(bytes) => Some((
            files.name(&path),
            String::from_utf8_lossy(bytes).into_owned(),
        )),
        None => match files.keys(&beside)? {
            Some(keys) => keys.string(KEY)?.map(|text| (files.name(&beside), text)),
            None => None,
        },
    };
    let Some((file, source)) = own else {
        if chat.is_stated {
            let what = "the chat template of pairs";
            return Err(Error::missing_file(files.location(), what, path));
        }
        return Ok(None);
    };
    let setting = Setting {
        format: chat.format.unwrap_or_else(|| MessageFormat::of(&source)),
        flags: &chat.flags,
    };
    let template = template::read(&source, &setting).map_err(|found| {
        let expected = "a template with places for `query` and `document`, in forms that are known";
        Error::config_value(file, KEY, expected, found)
    })?;
    Ok(Some(template))
}

/// The tokens of a LogitScore.
fn answers(files: &Files, entry: &Entry) -> Result<Answers> {
    const YES: &str = "true_token_id";
    let path = join(&entry.folder, "config.json");
    let keys = files.require(&path, "the configuration of the score")?;
    let yes = keys.id(YES)?;
    let yes = yes.ok_or_else(|| keys.error(YES, "the id of a token", "none"))?;
    let no = match keys.get("false_token_id") {
        Some(value) if !value.is_null() => keys.id("false_token_id")?,
        _ => None,
    };
    if let Some(input) = keys.string("module_input_name")?
        && input != "causal_logits"
    {
        let found = format_args!("`{input}`");
        return Err(keys.error("module_input_name", "`causal_logits`", found));
    }
    files.leave_unread(&path, &keys, &[]);
    Ok(Answers { yes, no })
}

/// The modules, if there are such.
fn entries(files: &Files) -> Result<(Vec<Entry>, Format)> {
    Ok(if files.has(MODULES) {
        (modules::read(files)?, Format::SentenceTransformers)
    } else {
        (Vec::new(), Format::Transformers)
    })
}

/// What versions before 5 wrote into the transformer's configuration.
fn activation(config: &Keys) -> Result<Option<Activation>> {
    const OLDER: &str = "sbert_ce_default_activation_function";
    let own = config.object("sentence_transformers")?;
    let own = own.map(|own| own.string("activation_fn")).transpose()?;
    let name = match own.flatten() {
        Some(name) => Some(name),
        None => config.string(OLDER)?,
    };
    name.map(|name| dense::activation(config, &name))
        .transpose()
}

/// The number of labels: a model with one is a regression.
fn labels(config: &Keys) -> Result<Option<usize>> {
    if let Some(labels) = config.object("id2label")? {
        return Ok(Some(labels.entries().count()).filter(|&count| count > 0));
    }
    config.count("num_labels")
}
