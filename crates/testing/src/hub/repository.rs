//! What a hub has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::json;

/// The files of a commit, by their paths.
pub(super) struct Commit {
    pub(super) hash: String,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// A model of a hub.
pub struct Repository {
    pub(super) name: &'static str,
    pub(super) commits: Vec<Commit>,
    /// Branches and tags.
    revisions: BTreeMap<String, String>,
    pub(super) token: Option<&'static str>,
}

/// What the path of an address is about.
pub(super) struct Asked {
    pub(super) revision: String,
    /// `None` for a listing.
    pub(super) path: Option<String>,
}

impl Repository {
    /// An empty one; `name` is `org/name`.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            commits: Vec::new(),
            revisions: BTreeMap::new(),
            token: None,
        }
    }

    /// Demands a token.
    pub fn with_token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    /// Adds a commit, which a revision is at from then on.
    pub fn with_commit(mut self, revision: &str, files: BTreeMap<String, Vec<u8>>) -> Self {
        let mut content = Vec::new();
        for (path, bytes) in &files {
            content.extend_from_slice(path.as_bytes());
            content.extend_from_slice(bytes);
        }
        let hash = git(&content);
        self.revisions.insert(revision.to_owned(), hash.clone());
        self.commits.push(Commit { hash, files });
        self
    }

    /// Adds a folder as a commit.
    pub fn with_folder(self, revision: &str, folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        read(folder, "", &mut files);
        self.with_commit(revision, files)
    }

    /// The commit that a revision is at.
    pub fn hash(&self, revision: &str) -> String {
        self.commit(revision)
            .expect("there is such a revision")
            .hash
            .clone()
    }

    pub(super) fn commit(&self, revision: &str) -> Option<&Commit> {
        let hash = self
            .revisions
            .get(revision)
            .map_or(revision, String::as_str);
        self.commits.iter().find(|commit| commit.hash == hash)
    }

    /// Reads the target of a request, if it is about this repository.
    pub(super) fn asked_for(&self, target: &str) -> Option<Asked> {
        if let Some(rest) = target.strip_prefix("/api/models/") {
            let revision = rest.strip_prefix(self.name)?.strip_prefix("/revision/")?;
            return Some(Asked {
                revision: revision.replace("%2F", "/"),
                path: None,
            });
        }
        let rest = target.strip_prefix('/')?.strip_prefix(self.name)?;
        let (revision, path) = rest.strip_prefix("/resolve/")?.split_once('/')?;
        Some(Asked {
            revision: revision.to_owned(),
            path: Some(path.replace("%20", " ")),
        })
    }
}

impl Commit {
    pub(super) fn listing(&self, name: &str) -> String {
        let files = self.files.keys();
        let files: Vec<_> = files.map(|path| json!({ "rfilename": path })).collect();
        json!({ "id": name, "sha": self.hash, "siblings": files }).to_string()
    }
}

fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        if path.is_dir() {
            read(&path, &format!("{prefix}{name}/"), files);
        } else {
            files.insert(
                format!("{prefix}{name}"),
                fs::read(&path).expect("it can be read"),
            );
        }
    }
}

/// Whether a file is kept apart from the repository.
pub(super) fn is_large(path: &str) -> bool {
    [".safetensors", ".onnx", ".bin", "tokenizer.json"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

pub fn sha256(content: &[u8]) -> String {
    hex(digest(&SHA256, content).as_ref())
}

/// The name that Git gives to a file.
pub(super) fn git(content: &[u8]) -> String {
    let mut blob = format!("blob {}\0", content.len()).into_bytes();
    blob.extend_from_slice(content);
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &blob).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
