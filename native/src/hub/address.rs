//! Addresses: their parts, and how they are shown.

/// Scheme, host and port, as far as the path.
pub(super) fn origin(address: &str) -> &str {
    let start = address.find("://").map_or(0, |at| at + 3);
    let rest = address.get(start..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    address.get(..start + end).unwrap_or(address)
}

/// Where a redirect leads, or `None` if that is no address.
pub(super) fn redirected(address: &str, location: &str) -> Option<String> {
    if location.starts_with("https://") {
        return Some(location.to_owned());
    }
    if location.starts_with("http://") {
        // What was asked for in secret is not asked for in the open.
        return address.starts_with("http://").then(|| location.to_owned());
    }
    let is_path = location.starts_with('/') && !location.starts_with("//");
    is_path.then(|| format!("{}{location}", origin(address)))
}

/// An address without what may be secret in it: credentials, and signatures in
/// its query.
pub(super) fn shown(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let address = address.get(..end).unwrap_or(address);
    let (Some((scheme, rest)), whole) = (address.split_once("://"), origin(address)) else {
        return address.to_owned();
    };
    match whole.rsplit_once('@') {
        Some((credentials, _)) => {
            let host = address.get(credentials.len() + 1..).unwrap_or(rest);
            format!("{scheme}://{host}")
        }
        None => address.to_owned(),
    }
}

/// A path or a part of one, as it is written in an address; slashes stay where
/// `keep` says so.
pub(super) fn encoded(text: &str, keep: &[u8]) -> String {
    use std::fmt::Write;

    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.contains(&byte) {
            encoded.push(byte.into());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved() {
        let from = "https://hub:1/a/b?c";
        assert_eq!(origin(from), "https://hub:1");
        assert_eq!(redirected(from, "/d").as_deref(), Some("https://hub:1/d"));
        assert_eq!(
            redirected(from, "https://x/d").as_deref(),
            Some("https://x/d")
        );
        assert_eq!(redirected(from, "http://x/d"), None);
        assert_eq!(redirected(from, "//x/d"), None);
        assert_eq!(redirected(from, "d"), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = |address| super::shown(address);
        assert_eq!(
            shown("https://user:pass@hub/a/b@c?X=signature"),
            "https://hub/a/b@c"
        );
        assert_eq!(shown("https://hub/a@b"), "https://hub/a@b");
    }

    #[test]
    fn paths_are_encoded() {
        assert_eq!(encoded("refs/pr/1", b""), "refs%2Fpr%2F1");
        assert_eq!(encoded("a b/ü#.json", b"/"), "a%20b/%C3%BC%23.json");
    }

    #[test]
    fn any_address_is_taken_apart() {
        use proptest::prelude::*;

        let part = "(https?://|//|/|[a-z@:?#.]{0,3}|\\PC{0,6}){0,6}";
        proptest!(|(address in part, location in part)| {
            prop_assert!(address.starts_with(origin(&address)));
            prop_assert!(!super::shown(&address).contains('?'));
            if let Some(next) = redirected(&address, &location) {
                prop_assert!(!(address.starts_with("https://") && next.starts_with("http://")));
            }
            let plain = encoded(&address, b"/");
            prop_assert!(plain.bytes().all(|byte| byte.is_ascii_graphic()));
        });
    }
}
