//! Names of commits and of files, which become parts of paths.

/// Whether this is a whole commit hash.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

pub(super) fn is_hex(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.bytes().all(is_digit)
}

/// Whether this is a path within a folder, on every system.
pub(super) fn is_path(text: &str) -> bool {
    const FORBIDDEN: &str = "\\:*?\"<>|";
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_letter = |letter: char| !letter.is_control() && !FORBIDDEN.contains(letter);
    text.len() <= 1024 && text.split('/').all(is_part) && text.chars().all(is_letter)
}

/// Whether this can be the name of a blob.
pub(super) fn is_etag(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    (1..=128).contains(&text.len()) && text.chars().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_their_folder() {
        assert!(is_path("1_Dense/model.safetensors") && is_path("a..b"));
        for path in [
            "", "/a", "a//b", "../a", "a/../b", "./a", "a\\b", "C:a", "a\0", "a/",
        ] {
            assert!(!is_path(path), "{path:?}");
        }
    }

    #[test]
    fn blobs_and_commits_have_plain_names() {
        assert!(is_etag("d41d8cd9") && !is_etag("../x") && !is_etag("") && !is_etag("a\"b"));
        assert!(is_commit(&"0a".repeat(20)) && !is_commit("main") && !is_commit(&"0A".repeat(20)));
    }
}
