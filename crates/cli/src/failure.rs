//! Errors with the places in an input that they are about.

use multivec::Error;

use crate::flags;
use crate::input::{Input, InputText};

pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The file and the line.
    place: Option<String>,
}

impl Failure {
    pub(crate) fn at(place: String, error: Error) -> Self {
        Self {
            error,
            place: Some(place),
        }
    }

    /// An error that may be about one of the texts, with its place in their
    /// input.
    pub(crate) fn in_input(error: Error, input: &Input, texts: &[InputText]) -> Self {
        match error.text().and_then(|at| texts.get(at)) {
            Some(text) => Self::at(input.place(text), error),
            None => error.into(),
        }
    }

    /// The failure as the command line reports it.
    pub(crate) fn message(&self) -> String {
        let message = flags::message(&self.error);
        match &self.place {
            Some(place) => format!("{place}: {message}"),
            None => message,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, place: None }
    }
}
