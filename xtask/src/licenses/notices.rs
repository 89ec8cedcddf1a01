//! Third-party notices: the licences of what is in a published file.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::tree::{Package, Tree};
use crate::command::{Result, root};
use crate::setup;

/// How names of files with licences begin, in lower case.
const NAMES: [&str; 5] = ["license", "licence", "copying", "notice", "unlicense"];

/// Writes the notices of `npm` or `cli` into that file.
pub(crate) fn write(arguments: &[String]) -> Result {
    let (tree, path) = match arguments {
        [what] if what == "npm" => (Tree::Npm, root().join("js/THIRD-PARTY-NOTICES.md")),
        [what, path] if what == "cli" => (Tree::CommandLine, PathBuf::from(path)),
        other => {
            return Err(format!(
                "expected `cargo xtask notices npm` or `cargo xtask notices cli FILE`, found {other:?}"
            ));
        }
    };
    setup::node_packages()?;
    let mut notices = Notices::default();
    notices.add_packages(&tree.packages()?)?;
    // What cargo does not know of.
    let (name, file) = match tree {
        Tree::Npm => (
            "wasm-feature-detect (https://github.com/GoogleChromeLabs/wasm-feature-detect)",
            "js/node_modules/wasm-feature-detect/LICENSE",
        ),
        _ => (
            "the demo model, made of sentence-transformers/all-MiniLM-L6-v2",
            "models/minilm-colbert/LICENSE",
        ),
    };
    notices.add(name, &read(&root().join(file))?);
    fs::write(&path, notices.text()).map_err(|error| format!("{}: {error}", path.display()))?;
    println!(
        "    {}: {} packages",
        path.display(),
        notices.packages.len()
    );
    Ok(())
}

const END_OF_APACHE: &str = "END OF TERMS AND CONDITIONS";

#[derive(Default)]
struct Notices {
    packages: BTreeSet<String>,
    /// By what is in them, without spaces.
    texts: BTreeMap<String, Shared>,
}

/// A text and who shares it.
struct Shared {
    text: String,
    packages: BTreeSet<String>,
}

impl Notices {
    fn add_packages(&mut self, packages: &[Package]) -> Result {
        let mut files = BTreeMap::new();
        for package in packages {
            files.insert(package, licenses(package)?);
        }
        // Ours, for the few packages that name it and have no copy.
        let apache = vec![read(&root().join("LICENSE"))?];
        for (package, own) in &files {
            // Some crates of a repository leave the file to another one.
            let sibling = || {
                files.iter().find_map(|(other, texts)| {
                    let is_same = other.repository == package.repository;
                    (is_same && other.license == package.license && !texts.is_empty())
                        .then_some(texts)
                })
            };
            let texts = if own.is_empty() {
                sibling()
                    .or_else(|| (package.license == "Apache-2.0").then_some(&apache))
                    .ok_or_else(|| format!("{package}: expected a licence file, found none"))?
            } else {
                own
            };
            for text in texts {
                self.add(&format!("{package} ({})", package.repository), text);
            }
        }
        Ok(())
    }

    fn add(&mut self, package: &str, text: &str) {
        self.packages.insert(package.to_owned());
        let mut package = package.to_owned();
        let mut text = text.trim();
        // Apache's licence ends with how to apply it, where some put a name.
        if let Some((terms, appendix)) = text.split_once(END_OF_APACHE) {
            let holder = appendix
                .lines()
                .map(str::trim)
                .find(|line| line.starts_with("Copyright") && !line.contains("yyyy"));
            if let Some(holder) = holder {
                package += &format!(", {holder}");
            }
            text = terms.trim_end();
        }
        // Texts that differ in spaces are the same.
        let key = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let shared = self.texts.entry(key).or_insert_with(|| Shared {
            text: text
                .lines()
                .map(str::trim_end)
                .collect::<Vec<_>>()
                .join("\n"),
            packages: BTreeSet::new(),
        });
        shared.packages.insert(package);
    }

    fn text(&self) -> String {
        let mut text = "# Third-party notices\nThis file lists what multivec contains of others, \
                        and the licences. Rust's standard library (https://github.com/rust-lang/rust) \
                        is under MIT or Apache-2.0 as well.\n"
            .to_owned();
        let mut texts: Vec<_> = self.texts.values().collect();
        texts.sort_by_key(|shared| Reverse(shared.packages.len()));
        for shared in texts {
            text += "\n---\n";
            for package in &shared.packages {
                text += &format!("- {package}\n");
            }
            text += &format!("\n```text\n{}\n```\n", shared.text);
        }
        text
    }
}

/// The texts that come with a package: Apache's where that is a choice, as
/// many have it in common, else all.
fn licenses(package: &Package) -> Result<Vec<String>> {
    let folder = package.folder()?;
    let failed = |error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_ascii_lowercase();
        let name = name.to_string_lossy();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            paths.push(path);
        }
    }
    paths.sort();
    let is = |path: &Path, part| {
        let name = path.file_name().unwrap_or_default().to_ascii_lowercase();
        name.to_string_lossy().contains(part)
    };
    let is_choice = package.license.contains("OR") || package.license.contains('/');
    if is_choice && paths.iter().any(|path| is(path, "apache")) {
        // Other terms may come on top of the choice.
        let others = [
            "mit",
            "zlib",
            "bsl",
            "boost",
            "bsd",
            "lgpl",
            "unlicense",
            "cc0",
            "blueoak",
        ];
        paths.retain(|path| !others.iter().any(|other| is(path, other)));
    }
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
