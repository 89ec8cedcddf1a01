//! The versions in the README, the npm package and the changelog are those of
//! the crates.

#![allow(clippy::expect_used, clippy::panic)]

#[test]
fn versions_are_current() {
    let readme = include_str!("../README.md");
    let version = env!("CARGO_PKG_VERSION");
    let stated: Vec<&str> = readme
        .lines()
        .filter(|line| line.contains("multivec = "))
        .collect();
    assert_eq!(stated.len(), 2);
    for line in stated {
        assert!(line.contains(&format!("\"{version}\"")), "{line}");
    }
    let package: serde_json::Value =
        serde_json::from_str(include_str!("../js/package.json")).expect("package.json is JSON");
    assert_eq!(package["version"], version);
    let changelog = include_str!("../CHANGELOG.md");
    assert!(changelog.contains(&format!("## {version}")));
}
