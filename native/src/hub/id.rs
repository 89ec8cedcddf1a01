//! Names of models.

use std::fmt;
use std::str::FromStr;

use multivec_core::{Error, Result};

/// The longest name that hubs take.
const LONGEST: usize = 96;

/// The id of a model: `org/name`, perhaps followed by `@` and a revision: a
/// branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubId {
    name: String,
    revision: Option<String>,
}

impl HubId {
    /// The repository, `org/name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The revision, if the id names one.
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }
}

impl FromStr for HubId {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidOption`] for anything else than an id.
    fn from_str(text: &str) -> Result<Self> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let parts = name.split_once('/');
        let is_name = name.len() <= LONGEST
            && parts.is_some_and(|(owner, name)| is_part(owner) && is_part(name));
        if !is_name || !revision.is_none_or(is_revision) {
            let expected = "a model's id, `org/name` or `org/name@revision`";
            return Err(Error::option("model", expected, format_args!("`{text}`")));
        }
        Ok(Self {
            name: name.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

/// Source of the rules: `validate_repo_id` of huggingface_hub.
fn is_part(part: &str) -> bool {
    let is_edge = |part: &str| part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
    !part.is_empty()
        && part.chars().all(is_plain)
        && !is_edge(part)
        && !part.contains("--")
        && !part.contains("..")
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.".contains(letter)
}

/// Whether this can be the name of a branch, a tag or a commit, and of a file.
pub(super) fn is_revision(text: &str) -> bool {
    text.len() <= 255
        && text
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn ids_are_told_from_paths() {
        let id: HubId = "org/name-1.5_b@refs/pr/1".parse().expect("an id");
        assert_eq!(
            (id.name(), id.revision()),
            ("org/name-1.5_b", Some("refs/pr/1"))
        );
        assert_eq!(id.to_string(), "org/name-1.5_b@refs/pr/1");
        for text in [
            "", "name", "a/b/c", "./name", "../name", "/name", "org/", "org/.git", "a b/c", "a/b@",
            "a/b@../c", "a/b@c\\d", "a--b/c", "a\\b/c", "C:/b", "a/b?c", "a/b@x y",
        ] {
            let error = HubId::from_str(text).expect_err(text);
            assert_eq!(error.code(), "invalid_option", "{text}");
        }
    }
}
