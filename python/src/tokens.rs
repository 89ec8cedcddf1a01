//! Tokens, with places in the text counted in characters.

use multivec::{AnyHead, TextEncoder, Token, TokenRole, TokenizedText};

/// Id, spelling, first and last character (exclusive) in the text, role.
pub(crate) type TokenTuple = (u32, String, Option<(usize, usize)>, &'static str);

/// Tokens, which of them the model attends to, which become rows of a
/// multi-vector, and how many tokens of the text were kept and dropped.
pub(crate) type TokenizedTuple = (Vec<TokenTuple>, Vec<bool>, Vec<bool>, (usize, usize));

/// A token of an embedding whose text was `text`.
pub(crate) fn token(token: Token, text: &str) -> TokenTuple {
    let span = token.span.map(|span| characters(text, span));
    (token.id, token.text, span, role(token.role))
}

/// The tokens of a text before it is encoded.
pub(crate) fn tokenized(
    encoder: &TextEncoder<AnyHead>,
    tokens: &TokenizedText,
    text: &str,
) -> TokenizedTuple {
    let tokenizer = encoder.tokenizer();
    let all = tokens.input_ids().iter().enumerate();
    let all = all.map(|(at, &id)| {
        let span = tokens.span(at).map(|span| characters(text, span));
        let spelling = tokenizer.token(id).unwrap_or_default();
        (id, spelling, span, role(tokens.roles()[at]))
    });
    let truncation = tokens.truncation();
    (
        all.collect(),
        tokens.attention_mask().to_vec(),
        tokens.kept().to_vec(),
        (truncation.kept_tokens, truncation.dropped_tokens),
    )
}

/// Turns bytes into characters, as Python counts them.
fn characters(text: &str, bytes: std::ops::Range<usize>) -> (usize, usize) {
    let count = |range| text.get(range).map_or(0, |part: &str| part.chars().count());
    let start = count(0..bytes.start);
    (start, start + count(bytes))
}

fn role(role: TokenRole) -> &'static str {
    match role {
        TokenRole::Special => "special",
        TokenRole::Prefix => "prefix",
        TokenRole::Expansion => "expansion",
        _ => "text",
    }
}
