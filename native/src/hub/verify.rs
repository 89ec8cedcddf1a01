//! Whether a file has the content that its ETag names.

use std::fs::File;
use std::io::{self, Read};

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::commit::is_hex;

const BUFFER: usize = 1 << 20;

/// What an ETag of a hub is: the SHA-256 of a large file, or the name that Git
/// gives to a small one. Other hubs may have others, which say nothing.
enum Content {
    Sha256,
    /// SHA-1 of a header with the size, and the file.
    Git,
}

/// The hash of a file if it is not the one in `etag`.
pub(super) fn other_hash(etag: &str, file: &mut File) -> io::Result<Option<String>> {
    let content = match etag.len() {
        64 if is_hex(etag) => Content::Sha256,
        40 if is_hex(etag) => Content::Git,
        _ => return Ok(None),
    };
    let mut context = match content {
        Content::Sha256 => Context::new(&SHA256),
        Content::Git => {
            let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            context.update(format!("blob {}\0", file.metadata()?.len()).as_bytes());
            context
        }
    };
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => context.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    let bytes = context.finish();
    let found: String = bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok((found != etag).then_some(found))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use std::io::{Seek, Write};

    use super::*;

    #[test]
    fn both_kinds_of_hashes_are_checked() {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(b"hello\n").expect("written");
        let mut check = |etag: &str| {
            file.rewind().expect("rewound");
            other_hash(etag, &mut file).expect("read")
        };
        // As `git hash-object` and `sha256sum` have them.
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!((check(git), check(sha)), (None, None));
        assert_eq!(check(&"0".repeat(40)).as_deref(), Some(git));
        assert_eq!(check(&"0".repeat(64)).as_deref(), Some(sha));
        assert_eq!(check("v1"), None);
    }
}
