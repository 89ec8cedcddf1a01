//! `CrossEncoder`, or a transformer for the classification of pairs.

use super::super::description::{Format, ModelDescription};
use super::super::files::Files;
use super::super::kind::{CrossDescription, HeadDescription};
use super::super::modules::{self, Entry};
use super::super::{MODULES, SENTENCE_TRANSFORMERS, TRANSFORMER, dense, transformer};
use super::text::CLASSIFICATION;
use super::{Common, split};
use crate::activation::Activation;
use crate::config::Keys;
use crate::error::Result;
use crate::normalization::Normalization;

pub(in crate::model) fn read(files: &Files) -> Result<ModelDescription> {
    let (entries, format) = entries(files)?;
    let (folder, rest) = split(&entries);
    if let Some(other) = rest.first() {
        return Err(modules::refused(&files.name(MODULES), other));
    }
    let mut common = Common::read(files, folder)?;
    common.read_texts(files, &CLASSIFICATION)?;
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
            labels: labels(&config)?,
            activation,
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
