//! Answers of a hub that are errors.

use multivec_core::Error;
use ureq::http::{HeaderMap, StatusCode};

use super::address::shown;

/// How much of a hub's own message is shown.
const LONGEST: usize = 200;

/// An error status.
pub(super) struct Refusal<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    /// That of the answer, after redirects.
    pub(super) address: &'a str,
    /// What was asked for.
    pub(super) what: &'a str,
    /// What was sent with the request.
    pub(super) sent: Credentials,
}

#[derive(Clone, Copy)]
pub(super) enum Credentials {
    Token,
    None,
}

impl Refusal<'_> {
    pub(super) fn into_error(self) -> Error {
        let code = self.header("x-error-code").unwrap_or_default();
        let meaning = match (self.status.as_u16(), code, self.sent) {
            (_, "GatedRepo", _) => {
                ": the model's licence has to be accepted on its page, and a token sent of who did"
            }
            (401, _, Credentials::None) => ": there is no such model, or it needs a token",
            (401, _, Credentials::Token) => {
                ": there is no such model, or this token may not read it"
            }
            (403, _, Credentials::None) => ": it needs a token, or a licence that is accepted",
            (403, _, Credentials::Token) => {
                ": this token may not read it, or its licence was not accepted"
            }
            (404, "RevisionNotFound", _) => ": there is no such revision",
            (404, "EntryNotFound", _) => ": there is no such file",
            (404, ..) => ": there is no such model or revision",
            (429, ..) => ": too many requests, in spite of waiting",
            _ => "",
        };
        let message = self.header("x-error-message").map(shortened);
        let message = message.map_or(String::new(), |message| format!(" ({message})"));
        let found = format!("status {}{meaning}{message}", self.status.as_u16());
        Error::hub(shown(self.address), self.what, found)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn shortened(message: &str) -> String {
    let printable = message.chars().filter(|letter| !letter.is_control());
    printable.take(LONGEST).collect()
}
