//! The texts and tags of a template.

/// A part of a template's source.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// Within `{{` and `}}`.
    Value(String),
    /// Within `{%` and `%}`.
    Block(String),
}

/// A tag's ends.
const TAGS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

/// Cuts a template at its tags. A line break after a block, white space in front
/// of one that begins its line, and a line break at the end are no text.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, String> {
    let template = template.replace("\r\n", "\n");
    let mut rest = template.strip_suffix('\n').unwrap_or(&template);
    let mut pieces = Vec::new();
    // Whether `rest` is at the start of a line.
    let mut begins = true;
    loop {
        let next = TAGS
            .iter()
            .filter_map(|tag| Some((rest.find(tag.0)?, *tag)))
            .min_by_key(|(at, _)| *at);
        let Some((at, (open, close))) = next else {
            push(&mut pieces, rest);
            return Ok(pieces);
        };
        let (before, tag) = rest.split_at(at);
        let tag = &tag[open.len()..];
        let end = end_of(tag, close).ok_or_else(|| format!("`{open}` without `{close}`"))?;
        let (code, after) = (&tag[..end], &tag[end + close.len()..]);
        let (code, strips_before, keeps_before) =
            match (code.strip_prefix('-'), code.strip_prefix('+')) {
                (Some(code), _) => (code, true, false),
                (_, Some(code)) => (code, false, true),
                _ => (code, false, false),
            };
        let (code, strips_after, keeps_after) =
            match (code.strip_suffix('-'), code.strip_suffix('+')) {
                (Some(code), _) => (code, true, false),
                (_, Some(code)) if open != "{{" => (code, false, true),
                _ => (code, false, false),
            };
        let is_block = open != "{{";
        let text = if strips_before {
            before.trim_end()
        } else if is_block && !keeps_before {
            without_indent(before, begins)
        } else {
            before
        };
        push(&mut pieces, text);
        match open {
            "{{" => pieces.push(Piece::Value(code.to_owned())),
            "{%" => pieces.push(Piece::Block(code.to_owned())),
            _ => {}
        }
        rest = match after.strip_prefix('\n') {
            _ if strips_after => after.trim_start(),
            Some(after) if is_block && !keeps_after => after,
            _ => after,
        };
        let skipped = &after[..after.len() - rest.len()];
        begins = skipped.ends_with('\n');
    }
}

/// Where a tag closes, outside of strings.
fn end_of(code: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, sign) in code.char_indices() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if sign == '\\' => is_escaped = true,
            Some(open) if sign == open => quote = None,
            Some(_) => {}
            None if code[at..].starts_with(close) => return Some(at),
            None if close != "#}" && matches!(sign, '"' | '\'') => quote = Some(sign),
            None => {}
        }
    }
    None
}

/// Without the white space of a line that a block begins.
fn without_indent(text: &str, begins: bool) -> &str {
    let kept = text.trim_end_matches([' ', '\t']);
    if kept.ends_with('\n') || kept.is_empty() && begins {
        kept
    } else {
        text
    }
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}
