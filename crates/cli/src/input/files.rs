//! The files that an input names: one, those of a folder, or those that a
//! pattern matches.

use std::fs;
use std::path::{Path, PathBuf};

use multivec::{Error, Result};

use super::format::InputFormat;
use crate::console::io_error;

/// What ends the names of files that are read of a folder.
const ENDINGS: &str = ".parquet, .arrow, .feather, .csv, .jsonl or .txt";

/// The files in the order of their names. A path that is neither a folder nor a
/// pattern is a file, whether it exists or not.
pub(super) fn of(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        let is_read = |name: &str| {
            let ending = name.rsplit_once('.').map(|(_, ending)| ending);
            ending.and_then(InputFormat::of_ending).is_some()
        };
        return listed(path, path, is_read, &format!("files that end in {ENDINGS}"));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    match name.filter(|name| name.contains(['*', '?'])) {
        Some(pattern) if !path.exists() => {
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let is_read = |name: &str| matches(pattern.as_bytes(), name.as_bytes());
            listed(path, folder, is_read, "files whose names match")
        }
        _ => Ok(vec![path.to_owned()]),
    }
}

fn listed(
    path: &Path,
    folder: &Path,
    is_read: impl Fn(&str) -> bool,
    expected: &str,
) -> Result<Vec<PathBuf>> {
    let fail = |source| io_error(&folder.display().to_string(), "reading", source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        // Hidden files are no shards, nor are those with `_`, such as `_SUCCESS`.
        let is_wanted = name
            .to_str()
            .is_some_and(|name| !name.starts_with(['.', '_']) && is_read(name));
        if is_wanted && entry.path().is_file() {
            found.push(folder.join(name));
        }
    }
    if found.is_empty() {
        return Err(Error::invalid_file(path.display(), expected, "none"));
    }
    found.sort();
    Ok(found)
}

/// Whether a name matches a pattern, in which `*` stands for any characters and
/// `?` for one byte.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // The last star, and where its characters end.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((place, end)) = star else {
                    return false;
                };
                star = Some((place, end + 1));
                at = place + 1;
                from = end + 1;
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let cases = [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "a.parquet.tmp", false),
            ("part-?.csv", "part-1.csv", true),
            ("part-?.csv", "part-12.csv", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
            ("?", "", false),
            ("abc", "abc", true),
        ];
        for (pattern, name, expected) in cases {
            let found = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_are_read_in_the_order_of_names() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.parquet", "a.csv", "_SUCCESS", ".hidden.csv", "notes.md"] {
            fs::write(folder.path().join(name), "").expect("it can be written");
        }
        fs::create_dir(folder.path().join("c.csv")).expect("it can be made");
        let names = |path: &Path| {
            let found = of(path).expect("files");
            let names = found.iter().filter_map(|path| path.file_name());
            let names = names.map(|name| name.to_string_lossy().into_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(folder.path()), ["a.csv", "b.parquet"]);
        assert_eq!(names(&folder.path().join("?.*")), ["a.csv", "b.parquet"]);
        assert_eq!(names(&folder.path().join("none.csv")), ["none.csv"]);
        let error = of(&folder.path().join("*.arrow")).expect_err("no file");
        assert!(error.to_string().ends_with("found none"), "{error}");
    }
}
