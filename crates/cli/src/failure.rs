//! Errors with the places in an input that they are about.

use multivec::Error;

use crate::flags;

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
