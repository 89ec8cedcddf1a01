//! What the expressions of a template stand for.

use std::collections::BTreeMap;

use super::{MessageFormat, Setting};
use crate::config::TemplatePart;

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Query,
    Document,
    /// Has the prompt, if there is one.
    System,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A text.
    Parts(Vec<TemplatePart>),
    /// All messages.
    Messages,
    /// Those of one author, of which there is at most one.
    Selected(Role),
    Message(Role),
    /// A list of contents.
    Contents(Role),
    Content(Role),
    /// The first item of a content.
    Item(Role),
}

impl Value {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Parts(_) => "a text",
            Self::Messages | Self::Selected(_) => "a list of messages",
            Self::Message(_) => "a message",
            Self::Contents(_) | Self::Content(_) => "the content of a message",
            Self::Item(_) => "an item of a message",
        }
    }

    /// The text of a message.
    fn text_of(role: Role) -> Self {
        Self::Parts(vec![match role {
            Role::Query => TemplatePart::Query,
            Role::Document => TemplatePart::Document,
            Role::System => TemplatePart::Instruction(String::new()),
        }])
    }
}

/// What names stand for.
pub(super) struct Scope<'a> {
    setting: &'a Setting<'a>,
    names: BTreeMap<String, Value>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(setting: &'a Setting<'a>) -> Self {
        Self {
            setting,
            names: BTreeMap::new(),
        }
    }

    pub(super) fn set(&mut self, name: String, value: Value) {
        self.names.insert(name, value);
    }

    /// A variable that is true or false; not defined is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        const KNOWN: &str = "add_generation_prompt";
        match self.setting.flags.get(name) {
            Some(&flag) => Ok(flag),
            None if name == KNOWN => Ok(false),
            None => Err(format!("the condition `{name}`")),
        }
    }

    /// Texts, joined by `~`.
    pub(super) fn evaluate(&self, code: &str) -> Result<Value, String> {
        let unknown = |_| format!("`{}`", code.trim());
        let tokens = tokens(code).ok_or(()).map_err(unknown)?;
        let mut reader = Reader {
            scope: self,
            tokens: &tokens,
        };
        let found = reader.sum().ok_or(()).map_err(unknown)?;
        match reader.tokens {
            [] => Ok(found),
            _ => Err(unknown(())),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Sign(char),
}

fn tokens(code: &str) -> Option<Vec<Token>> {
    let mut signs = code.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(sign) = signs.next() {
        match sign {
            _ if sign.is_whitespace() => {}
            '"' | '\'' => {
                let mut text = String::new();
                loop {
                    match signs.next()? {
                        next if next == sign => break,
                        '\\' => text.push(match signs.next()? {
                            'n' => '\n',
                            't' => '\t',
                            'r' => '\r',
                            same @ ('\\' | '"' | '\'') => same,
                            _ => return None,
                        }),
                        next => text.push(next),
                    }
                }
                tokens.push(Token::Text(text));
            }
            _ if sign.is_alphanumeric() || sign == '_' => {
                let mut name = String::from(sign);
                while let Some(next) = signs.next_if(|next| next.is_alphanumeric() || *next == '_')
                {
                    name.push(next);
                }
                let is_number = name.chars().all(|sign| sign.is_ascii_digit());
                tokens.push(if is_number {
                    Token::Number(name)
                } else {
                    Token::Name(name)
                });
            }
            '(' | ')' | '[' | ']' | '.' | ',' | '|' | '~' | '=' => tokens.push(Token::Sign(sign)),
            _ => return None,
        }
    }
    Some(tokens)
}

/// Reads an expression; `None` for one that is not known.
struct Reader<'t> {
    scope: &'t Scope<'t>,
    tokens: &'t [Token],
}

impl Reader<'_> {
    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, sign: char) -> bool {
        let is_next = self.tokens.first() == Some(&Token::Sign(sign));
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn expect(&mut self, sign: char) -> Option<()> {
        self.take(sign).then_some(())
    }

    fn sum(&mut self) -> Option<Value> {
        let first = self.filtered()?;
        if self.tokens.first() != Some(&Token::Sign('~')) {
            return Some(first);
        }
        let Value::Parts(mut parts) = first else {
            return None;
        };
        while self.take('~') {
            let Value::Parts(more) = self.filtered()? else {
                return None;
            };
            parts.extend(more);
        }
        Some(Value::Parts(parts))
    }

    fn filtered(&mut self) -> Option<Value> {
        let mut value = self.member()?;
        while self.take('|') {
            let Token::Name(name) = self.next()?.clone() else {
                return None;
            };
            let arguments = if self.take('(') {
                self.arguments()?
            } else {
                Vec::new()
            };
            value = self.filter(value, &name, &arguments)?;
        }
        Some(value)
    }

    /// Texts, the last of which may have a name.
    fn arguments(&mut self) -> Option<Vec<String>> {
        let mut found = Vec::new();
        while !self.take(')') {
            match self.next()?.clone() {
                Token::Text(text) => found.push(text),
                Token::Name(name) if self.take('=') => match self.next()?.clone() {
                    Token::Text(text) => found.push(format!("{name}={text}")),
                    _ => return None,
                },
                _ => return None,
            }
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Some(found)
    }

    fn filter(&self, value: Value, name: &str, arguments: &[String]) -> Option<Value> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Some(match (value, name, arguments.as_slice()) {
            (Value::Messages, "selectattr", ["role", "eq" | "equalto", role]) => {
                Value::Selected(match *role {
                    "query" => Role::Query,
                    "document" => Role::Document,
                    "system" => Role::System,
                    _ => return None,
                })
            }
            (Value::Selected(role), "first" | "last", []) => Value::Message(role),
            (Value::Selected(role), "map", ["attribute=content"]) => Value::Contents(role),
            (Value::Contents(role), "first" | "last", []) => self.content(role),
            (value @ (Value::Selected(_) | Value::Contents(_)), "list", []) => value,
            (Value::Parts(mut parts), "default", [text]) => {
                if let [TemplatePart::Instruction(none)] = &mut *parts {
                    *none = (*text).to_owned();
                }
                Value::Parts(parts)
            }
            _ => return None,
        })
    }

    /// The content of a message, which is its text where templates are flat.
    fn content(&self, role: Role) -> Value {
        match self.scope.setting.format {
            MessageFormat::Flat => Value::text_of(role),
            MessageFormat::Structured => Value::Content(role),
        }
    }

    fn member(&mut self) -> Option<Value> {
        let mut value = self.primary()?;
        loop {
            let name = if self.take('.') {
                self.next()?.clone()
            } else if self.take('[') {
                let name = self.next()?.clone();
                self.expect(']')?;
                name
            } else {
                return Some(value);
            };
            let name = match name {
                Token::Name(name) | Token::Text(name) | Token::Number(name) => name,
                Token::Sign(_) => return None,
            };
            value = match (value, &*name) {
                (Value::Message(role), "content") => self.content(role),
                (Value::Content(role), "0") => Value::Item(role),
                (Value::Item(role), "text") => Value::text_of(role),
                _ => return None,
            };
        }
    }

    fn primary(&mut self) -> Option<Value> {
        match self.next()?.clone() {
            Token::Text(text) => Some(Value::Parts(vec![TemplatePart::Text(text)])),
            Token::Name(name) if name == "messages" => Some(Value::Messages),
            Token::Name(name) => self.scope.names.get(&name).cloned(),
            Token::Sign('(') => {
                let value = self.sum()?;
                self.expect(')')?;
                Some(value)
            }
            Token::Number(_) | Token::Sign(_) => None,
        }
    }
}
