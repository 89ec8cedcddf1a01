//! `MultiVectorEncoder` of sentence-transformers 6.

use super::super::description::{Format, ModelDescription};
use super::super::files::Files;
use super::super::kind::HeadDescription;
use super::super::{SENTENCE_TRANSFORMERS, dense, modules, transformer};
use super::Common;
use super::behind::Behind;
use super::text::{self, FEATURES};
use crate::config::{Keys, ModelConfig};
use crate::error::Result;

pub(in crate::model) fn read(files: &Files) -> Result<ModelDescription> {
    files.require(SENTENCE_TRANSFORMERS, "the configuration")?;
    let entries = modules::read(files)?;
    let (folder, rest) = modules::split(&entries);
    let Common {
        keys,
        mut config,
        transformer,
        tokenizer,
        text_file,
        text,
        limit,
    } = Common::read(files, folder)?;
    read_prompts(files, &keys, &mut config)?;
    let behind = Behind::read(files, rest, &mut config)?;
    text::read_lengths(&text, limit, &mut config)?;
    if !behind.has_mask && !config.attend_to_expansion_tokens {
        // Nothing sees the tokens of expansion, and they become no rows.
        config.do_query_expansion = false;
        config.expansion_length = None;
    }
    text::check_task(&text, &FEATURES)?;
    config.do_lower_case = text.boolean("do_lower_case")?.unwrap_or(false);
    files.leave_unread(&text_file, &text, &[]);
    files.leave_unread(SENTENCE_TRANSFORMERS, &keys, &["__version__"]);
    dense::check_widths(files, &transformer, behind.dense())?;
    Ok(ModelDescription {
        format: Format::SentenceTransformers,
        head: HeadDescription::MultiVector,
        config,
        tokenizer,
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
