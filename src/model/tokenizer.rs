//! The files beside `tokenizer.json`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::files::{Files, join};
use crate::config::{Keys, Side, TokenizerFacts};
use crate::error::{Error, Result};

/// What these files say.
pub(super) struct Tokenizer {
    /// Path of `tokenizer.json`.
    pub(super) path: String,
    pub(super) facts: TokenizerFacts,
    /// Most tokens of a text, if they state it.
    pub(super) longest: Option<usize>,
}

/// The path of `tokenizer.json` in a folder.
pub(super) fn path(files: &Files, folder: &str) -> Result<String> {
    let path = join(folder, "tokenizer.json");
    if !files.has(&path) {
        return Err(Error::missing_file(files.location(), "the tokenizer", path));
    }
    files.use_file(&path);
    Ok(path)
}

/// Reads the files in a folder.
pub(super) fn read(files: &Files, folder: &str) -> Result<Tokenizer> {
    let path = path(files, folder)?;
    let own = join(folder, "tokenizer_config.json");
    let own_keys = files.keys(&own)?;
    let map = files.keys(&join(folder, "special_tokens_map.json"))?;
    let sources: Vec<&Keys> = own_keys.iter().chain(&map).collect();
    let token = |key| first(&sources, |keys| spelling(keys, key));
    let mut facts = TokenizerFacts {
        mask_token: token("mask_token")?,
        eos_token: token("eos_token")?,
        unknown_token: token("unk_token")?,
        pad_token: token("pad_token")?,
        file: files.name(&own),
        ..TokenizerFacts::default()
    };
    if let Some(keys) = files.keys(&join(folder, "added_tokens.json"))? {
        facts.file = keys.file().to_owned();
        facts.added_tokens = added_tokens(&keys)?;
    }
    let Some(keys) = own_keys else {
        return Ok(Tokenizer {
            path,
            facts,
            longest: None,
        });
    };
    facts.file = keys.file().to_owned();
    facts.added_tokens.extend(decoder(&keys)?);
    facts.truncation_side = side(&keys, "truncation_side")?;
    facts.padding_side = side(&keys, "padding_side")?;
    facts.lower_case = keys.boolean("do_lower_case")?;
    Ok(Tokenizer {
        path,
        facts,
        longest: longest(&keys)?,
    })
}

fn first<T>(sources: &[&Keys], read: impl Fn(&Keys) -> Result<Option<T>>) -> Result<Option<T>> {
    let found = sources.iter().find_map(|keys| read(keys).transpose());
    found.transpose()
}

/// A token is written as a string, or as an object with its content.
fn spelling(keys: &Keys, key: &'static str) -> Result<Option<String>> {
    keys.typed(key, "a token", |value| {
        let content = value.get("content").unwrap_or(value);
        content.as_str().map(str::to_owned)
    })
}

fn added_tokens(keys: &Keys) -> Result<BTreeMap<String, u32>> {
    let id = |value: &Value| value.as_u64()?.try_into().ok();
    let entries = keys.entries().map(|(token, value)| match id(value) {
        Some(id) => Ok((token.clone(), id)),
        None => Err(keys.error("added_tokens", "a token id for each token", token)),
    });
    entries.collect()
}

/// Ids and objects with the spelling.
fn decoder(keys: &Keys) -> Result<BTreeMap<String, u32>> {
    let Some(decoder) = keys.object("added_tokens_decoder")? else {
        return Ok(BTreeMap::new());
    };
    let entry = |(id, value): (&String, &Value)| {
        let content = value.get("content")?.as_str()?;
        Some((content.to_owned(), id.parse().ok()?))
    };
    let entries = decoder.entries().map(|(id, value)| {
        let expected = "an id and its token for each entry";
        entry((id, value)).ok_or_else(|| keys.error("added_tokens_decoder", expected, id))
    });
    entries.collect()
}

fn side(keys: &Keys, key: &'static str) -> Result<Option<Side>> {
    keys.typed(key, "`left` or `right`", |value| match value.as_str()? {
        "left" => Some(Side::Left),
        "right" => Some(Side::Right),
        _ => None,
    })
}

/// Tokenizers without a limit state 10^30.
fn longest(keys: &Keys) -> Result<Option<usize>> {
    let tokens = keys.typed("model_max_length", "a number of tokens", |value| {
        value.as_f64().filter(|&tokens| tokens >= 1.)
    })?;
    Ok(tokens
        .filter(|&tokens| tokens <= 1e6)
        .map(|tokens| tokens as usize))
}
