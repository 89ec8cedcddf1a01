//! `sentence_bert_config.json`: lengths, expansion, and the task.

use std::collections::BTreeMap;

use super::super::description::Transformer;
use super::super::template::MessageFormat;
use crate::config::{Keys, ModelConfig};
use crate::error::{Error, Result};

/// The model's own limit on tokens.
pub(super) fn limit(
    text: &Keys,
    transformer: &Transformer,
    longest: Option<usize>,
) -> Result<Option<usize>> {
    let stated = text.count("max_seq_length")?.or(longest);
    Ok(match (stated, transformer.positions) {
        (Some(stated), Some(positions)) => Some(stated.min(positions)),
        (stated, positions) => stated.or(positions),
    })
}

/// Lengths and expansion.
pub(super) fn read_lengths(
    text: &Keys,
    limit: Option<usize>,
    config: &mut ModelConfig,
) -> Result<()> {
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

/// What a transformer module does.
pub(super) struct Task {
    name: &'static str,
    /// What it gives to the modules behind it.
    output: &'static str,
    /// Which output of transformers' model that is.
    method_output: &'static str,
}

/// Token states.
pub(super) const FEATURES: Task = Task {
    name: "feature-extraction",
    output: "token_embeddings",
    method_output: "last_hidden_state",
};

/// Logits of the vocabulary for each token.
pub(super) const FILL_MASK: Task = Task {
    name: "fill-mask",
    output: "token_embeddings",
    method_output: "logits",
};

/// Logits of labels.
pub(super) const CLASSIFICATION: Task = Task {
    name: "sequence-classification",
    output: "scores",
    method_output: "logits",
};

/// Logits of the vocabulary for the next token.
pub(super) const GENERATION: Task = Task {
    name: "text-generation",
    output: "causal_logits",
    method_output: "logits",
};

/// Refuses transformers with another task, and texts that go through a chat
/// template.
pub(super) fn check_task(text: &Keys, task: &Task) -> Result<()> {
    match chat(text, task)? {
        Some(Chat {
            is_stated: true, ..
        }) => {
            let found = "`message`, texts in a chat template";
            Err(text.error("modality_config", "`text`", found))
        }
        _ => Ok(()),
    }
}

/// How pairs go through a chat template.
pub(super) struct Chat {
    /// Whether they are said to. Else they do if there is a template.
    pub(super) is_stated: bool,
    pub(super) format: Option<MessageFormat>,
    /// Variables of the template.
    pub(super) flags: BTreeMap<String, bool>,
}

/// Refuses transformers with another task. Returns what is said of a chat
/// template; `None` for texts that go through none.
pub(super) fn chat(text: &Keys, task: &Task) -> Result<Option<Chat>> {
    let only = |keys: &Keys, key, expected: &str| match keys.string(key)? {
        Some(found) if found != expected => {
            Err(keys.error(key, &format!("`{expected}`"), format_args!("`{found}`")))
        }
        _ => Ok(()),
    };
    only(text, "transformer_task", task.name)?;
    only(text, "module_output_name", task.output)?;
    let mut chat = Some(Chat {
        is_stated: false,
        format: None,
        flags: BTreeMap::new(),
    });
    if let Some(inputs) = text.object("modality_config")? {
        let Some(input) = inputs.object("text")? else {
            return Err(inputs.error("text", "a model of texts", "none"));
        };
        only(&input, "method", "forward")?;
        only(&input, "method_output_name", task.method_output)?;
        chat = match inputs.object("message")? {
            None => None,
            Some(messages) => {
                only(&messages, "method", "forward")?;
                only(&messages, "method_output_name", task.method_output)?;
                let format = match messages.string("format")?.as_deref() {
                    None | Some("auto") => None,
                    Some("flat") => Some(MessageFormat::Flat),
                    Some("structured") => Some(MessageFormat::Structured),
                    Some(other) => {
                        let expected = "`flat`, `structured` or `auto`";
                        return Err(messages.error("format", expected, format_args!("`{other}`")));
                    }
                };
                Some(Chat {
                    is_stated: true,
                    format,
                    flags: BTreeMap::new(),
                })
            }
        };
    }
    let kwargs = text.object("processing_kwargs")?;
    if let (Some(chat), Some(kwargs)) = (&mut chat, &kwargs)
        && let Some(variables) = kwargs.object("chat_template")?
    {
        for (name, value) in variables.entries() {
            let Some(flag) = value.as_bool() else {
                let found = format!("`{name}` of the chat template");
                return Err(text.error(
                    "processing_kwargs",
                    "variables that are true or false",
                    found,
                ));
            };
            // That is not for the template.
            if name == "restore_suffix" && !flag {
                let found = "`restore_suffix` of false";
                return Err(text.error("processing_kwargs", "ends that are kept", found));
            }
            chat.flags.insert(name.clone(), flag);
        }
    }
    match kwargs {
        Some(kwargs) if kwargs.has("text") || kwargs.has("common") => Err(text.error(
            "processing_kwargs",
            "none for texts",
            "settings of the tokenizer",
        )),
        _ => Ok(chat),
    }
}
