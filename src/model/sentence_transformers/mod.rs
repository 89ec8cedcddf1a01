//! `MultiVectorEncoder` of sentence-transformers 6.

mod behind;
mod text;

use super::description::{Format, ModelDescription};
use super::files::Files;
use super::{SENTENCE_TRANSFORMERS, dense, modules, sentence_bert, tokenizer, transformer};
use crate::config::{Keys, ModelConfig, PrefixStyle, Preparation, UnknownWords};
use crate::error::Result;
use behind::Behind;

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
    let (text_file, keys_of_text) = sentence_bert::read(files, folder)?;
    let limit = text::limit(&keys_of_text, &transformer, tokenizer.longest)?;
    let behind = Behind::read(files, rest, &mut config)?;
    text::read_lengths(&keys_of_text, limit, &mut config)?;
    if !behind.has_mask && !config.attend_to_expansion_tokens {
        // Nothing sees the tokens of expansion, and they become no rows.
        config.do_query_expansion = false;
        config.expansion_length = None;
    }
    text::check_task(&keys_of_text)?;
    config.do_lower_case = keys_of_text.boolean("do_lower_case")?.unwrap_or(false);
    config.tokenizer = tokenizer.facts;
    files.leave_unread(&text_file, &keys_of_text, &[]);
    files.leave_unread(SENTENCE_TRANSFORMERS, &keys, &["__version__"]);
    dense::check_widths(files, &transformer, behind.dense())?;
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
