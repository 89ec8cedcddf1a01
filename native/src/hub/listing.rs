//! What a repository has at a revision.

use std::io::Read;

use multivec_core::{Error, Result};
use serde_json::Value;

use super::address::{encoded, shown};
use super::client::{Client, Failure, Method, Request};
use super::commit::{is_commit, is_path};
use super::id::HubId;

/// The largest answer that is read.
const LARGEST: u64 = 32 << 20;
/// Files of the largest repository that can be a model's.
const MOST_FILES: usize = 10_000;
/// How deep files are looked for, as in folders.
const DEPTH: usize = 2;

/// A commit, and the paths of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) files: Vec<String>,
}

/// Asks a hub for a listing.
pub(super) fn request(client: &Client, id: &HubId, revision: &str) -> Result<Listing, Failure> {
    let endpoint = &client.settings().endpoint;
    let name = id.name();
    let address = format!(
        "{endpoint}/api/models/{name}/revision/{}",
        encoded(revision, b"")
    );
    let what = format!("the files of the model {name} at {revision}");
    let response = client.send(&Request {
        method: Method::Get,
        address: &address,
        what: &what,
        from: 0,
    })?;
    let mut json = Vec::new();
    let mut body = response.into_body().into_reader().take(LARGEST + 1);
    body.read_to_end(&mut json).map_err(|source| {
        let found = format_args!("an answer that broke off: {source}");
        Failure::Unreachable(Error::hub(shown(&address), &what, found))
    })?;
    parse(&json).map_err(|found| Failure::Refused(Error::hub(shown(&address), &what, found)))
}

/// Reads a listing. Names that are not those of files within a folder are left
/// out: they are none of a model's.
pub(super) fn parse(json: &[u8]) -> Result<Listing, String> {
    if json.len() as u64 > LARGEST {
        return Err(format!("more than {LARGEST} bytes"));
    }
    let value: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let commit = value.get("sha").and_then(Value::as_str);
    let commit = commit.filter(|commit| is_commit(commit));
    let commit = commit.ok_or("no commit as `sha`")?.to_owned();
    let files = value.get("siblings").and_then(Value::as_array);
    let names = files.ok_or("no list `siblings`")?.iter();
    let mut files: Vec<String> = names
        .filter_map(|file| file.get("rfilename")?.as_str())
        .filter(|path| is_path(path) && is_shallow(path))
        .map(str::to_owned)
        .collect();
    if files.len() > MOST_FILES {
        return Err(format!("{} files, more than {MOST_FILES}", files.len()));
    }
    files.sort();
    files.dedup();
    Ok(Listing { commit, files })
}

/// A listing as [`parse`] reads it.
pub(super) fn to_json(listing: &Listing) -> String {
    let files = listing.files.iter();
    let files: Vec<Value> = files
        .map(|path| serde_json::json!({ "rfilename": path }))
        .collect();
    serde_json::json!({ "sha": listing.commit, "siblings": files }).to_string()
}

fn is_shallow(path: &str) -> bool {
    let mut folders = path.split('/');
    folders.next_back();
    folders.clone().count() <= DEPTH && folders.all(|folder| !folder.starts_with('.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn listings_have_files_of_models() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let names = [
            "b/c.json", "a.json", "../x", "/y", ".git/z", "a/b/c/d", ".hidden", "a.json",
        ];
        let names: Vec<Value> = names
            .iter()
            .map(|name| serde_json::json!({ "rfilename": name, "size": 1 }))
            .collect();
        let json = serde_json::json!({ "sha": commit, "siblings": names, "x": null });
        let listing = parse(json.to_string().as_bytes()).expect("a listing");
        assert_eq!(listing.commit, commit);
        assert_eq!(listing.files, [".hidden", "a.json", "b/c.json"]);
        assert_eq!(parse(to_json(&listing).as_bytes()), Ok(listing));
    }

    #[test]
    fn other_answers_are_refused() {
        for json in [
            "",
            "[]",
            "<html>",
            r#"{"sha": "main"}"#,
            r#"{"sha": "../../x", "siblings": []}"#,
        ] {
            parse(json.as_bytes()).expect_err(json);
        }
        let no_files = format!(r#"{{"sha": "{}"}}"#, "a".repeat(40));
        assert!(parse(no_files.as_bytes()).is_err_and(|found| found.contains("siblings")));
    }

    #[test]
    fn any_answer_is_read_or_refused() {
        use proptest::prelude::*;

        let json = r#"{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"a/b"}]}"#;
        let edits = prop::collection::vec((0..json.len(), any::<u8>()), 0..8);
        proptest!(|(edits in edits)| {
            let mut bytes = json.as_bytes().to_vec();
            for (at, byte) in edits {
                bytes[at] = byte;
            }
            if let Ok(listing) = parse(&bytes) {
                prop_assert!(is_commit(&listing.commit));
                prop_assert!(listing.files.iter().all(|path| is_path(path)));
            }
        });
    }
}
