//! What is in the place of a model's file when a download went wrong.

/// Bytes of the beginning of a file by which [`describe_wrong_file`] knows it.
pub const FILE_START: usize = 256;

/// Names what a file is that begins with these bytes, if that is one of the
/// things that are often found in the place of a model: a Git LFS pointer, a
/// web page or nothing.
///
/// Source: Git LFS, docs/spec.md.
pub fn describe_wrong_file(start: &[u8]) -> Option<&'static str> {
    if start.is_empty() {
        return Some("an empty file");
    }
    if start.starts_with(b"version https://git-lfs") {
        return Some("a Git LFS pointer in the place of the file");
    }
    let start = start.trim_ascii_start();
    let begins_with = |tag: &[u8]| {
        let found = start.get(..tag.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(tag))
    };
    let is_page = [&b"<!doctype"[..], b"<html", b"<?xml"]
        .into_iter()
        .any(begins_with);
    is_page.then_some("a web page in the place of the file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_often_in_the_place_of_a_model_is_named() {
        for (start, expected) in [
            (&b""[..], "empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "LFS"),
            (b"\n <!DOCTYPE html><html>", "web page"),
            (b"<html lang=en>", "web page"),
            (b"<HTML>", "web page"),
        ] {
            let found = describe_wrong_file(start).expect("it is known");
            assert!(found.contains(expected), "{found}");
        }
        for start in [&b"\x08\x07\x12"[..], b"{}", b"<", b"\x10\0\0\0\0\0\0\0{"] {
            assert_eq!(describe_wrong_file(start), None);
        }
    }
}
