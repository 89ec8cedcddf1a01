//! A tokenizer as the files beside it say it is.

use tokenizers::normalizers::{Lowercase, Sequence};
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

use crate::config::{ModelConfig, Preparation};
use crate::error::{Error, Result};

/// Adds tokens that only other files have, and lower-casing where it is part of
/// the tokenizer; refuses contradictions.
pub(super) fn adjust(file: &str, tokenizer: &mut Tokenizer, config: &ModelConfig) -> Result<()> {
    add_tokens(file, tokenizer, config)?;
    check_case(file, tokenizer, config)?;
    if config.do_lower_case && config.preparation == Preparation::Verbatim {
        lower_case(tokenizer).map_err(|source| Error::invalid_tokenizer(file, source))?;
    }
    Ok(())
}

fn add_tokens(file: &str, tokenizer: &mut Tokenizer, config: &ModelConfig) -> Result<()> {
    let facts = &config.tokenizer;
    let mut missing = Vec::new();
    for (token, &id) in &facts.added_tokens {
        match tokenizer.token_to_id(token) {
            None => missing.push((id, token)),
            Some(known) if known == id => {}
            Some(known) => return Err(contradiction(config, token, id, file, known)),
        }
    }
    missing.sort_unstable();
    for (id, token) in missing {
        // Ids follow each other: those of a list with gaps would be others.
        let added = AddedToken::from(token.as_str(), false);
        tokenizer
            .add_tokens([added])
            .map_err(|source| Error::invalid_tokenizer(file, source))?;
        match tokenizer.token_to_id(token) {
            Some(known) if known == id => {}
            Some(known) => return Err(contradiction(config, token, id, file, known)),
            None => {}
        }
    }
    Ok(())
}

fn contradiction(config: &ModelConfig, token: &str, id: u32, file: &str, known: u32) -> Error {
    Error::config_value(
        &config.tokenizer.file,
        "added_tokens",
        format_args!("the id {known} for {token:?}, as in {file}"),
        id,
    )
}

fn check_case(file: &str, tokenizer: &Tokenizer, config: &ModelConfig) -> Result<()> {
    let facts = &config.tokenizer;
    match (facts.lower_case, tokenizer.get_normalizer()) {
        (Some(stated), Some(NormalizerWrapper::BertNormalizer(normalizer)))
            if normalizer.lowercase != stated =>
        {
            Err(Error::config_value(
                &facts.file,
                "do_lower_case",
                format_args!("{}, as in {file}", normalizer.lowercase),
                stated,
            ))
        }
        _ => Ok(()),
    }
}

/// As sentence-transformers 6 does, unless the normalizer does it already.
fn lower_case(tokenizer: &mut Tokenizer) -> tokenizers::Result<()> {
    let is_lower_case = |part: &NormalizerWrapper| matches!(part, NormalizerWrapper::Lowercase(_));
    let parts: Vec<NormalizerWrapper> = match tokenizer.get_normalizer() {
        None => Vec::new(),
        Some(NormalizerWrapper::Sequence(sequence)) => sequence.as_ref().to_vec(),
        Some(part) => vec![part.clone()],
    };
    if !parts.iter().any(is_lower_case) {
        let first = std::iter::once(NormalizerWrapper::Lowercase(Lowercase));
        let all = first.chain(parts).collect();
        tokenizer.with_normalizer(Some(Sequence::new(all)))?;
    }
    Ok(())
}
