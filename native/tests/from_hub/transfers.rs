//! Transfers that break, are damaged, or are put off.

use std::fs;

use multivec_testing::hub::{Fault, Origin};

use crate::support::{Setting, WEIGHTS, files, from_dir, repository};

#[test]
fn broken_transfers_are_resumed() {
    let setting = Setting::new();
    let weights = setting.storage_of(WEIGHTS);
    setting.hub.plan(&weights, Fault::Break(1000));
    setting.hub.plan(&weights, Fault::Break(500));
    let model = setting.pull().expect("it is downloaded");
    let seen = setting.seen(Origin::Storage);
    let of_weights = seen.iter().filter(|seen| seen.line.contains(&weights));
    let ranges: Vec<Option<&str>> = of_weights.map(|seen| seen.range.as_deref()).collect();
    assert_eq!(ranges, [None, Some("bytes=1000-"), Some("bytes=1500-")]);
    from_dir(model.directory.root());
}

#[test]
fn a_later_run_goes_on() {
    let setting = Setting::new();
    let weights = setting.storage_of(WEIGHTS);
    setting.hub.plan(&weights, Fault::Break(1000));
    for _ in 0..5 {
        setting.hub.plan(&weights, Fault::Break(0));
    }
    let error = setting.pull().expect_err("it does not go on");
    assert_eq!(error.code(), "hub");
    let error = error.to_string();
    assert!(
        error.contains("the file model.safetensors of org/colbert@"),
        "{error}"
    );
    assert!(error.contains("1000 bytes"), "{error}");
    let blobs = files(&setting.folder().join("blobs"));
    let partial: Vec<_> = blobs
        .iter()
        .filter(|name| name.ends_with(".incomplete"))
        .collect();
    assert_eq!(partial.len(), 1, "{blobs:?}");
    // Nothing says that this commit is complete.
    assert!(!setting.folder().join("refs/main").exists());
    setting.hub.take_seen();
    let model = setting.pull().expect("it goes on");
    let seen = setting.seen(Origin::Storage);
    assert!(
        seen.iter()
            .any(|seen| seen.range.as_deref() == Some("bytes=1000-")),
        "{seen:?}"
    );
    from_dir(model.directory.root());
    let blobs = files(&setting.folder().join("blobs"));
    assert!(
        blobs.iter().all(|name| !name.ends_with(".incomplete")),
        "{blobs:?}"
    );
}

#[test]
fn a_server_without_ranges_starts_over() {
    let setting = Setting::new();
    let weights = setting.storage_of(WEIGHTS);
    setting.hub.plan(&weights, Fault::Break(1000));
    setting.hub.plan(&weights, Fault::NoRange);
    from_dir(setting.pull().expect("it is downloaded").directory.root());
}

#[test]
fn damaged_files_are_refused() {
    let setting = Setting::new();
    let small = format!(
        "GET /org/colbert/resolve/{}/modules.json",
        repository().hash("main")
    );
    for file in [small, setting.storage_of(WEIGHTS)] {
        setting.hub.plan(&file, Fault::Corrupt);
        let error = setting.pull().expect_err("it is damaged");
        assert_eq!(error.code(), "hub");
        assert!(error.to_string().contains("with the hash"), "{error}");
    }
    let model = setting.pull().expect("it is downloaded again");
    from_dir(model.directory.root());
}

#[test]
fn a_damaged_start_of_an_earlier_run_is_dropped() {
    let setting = Setting::new();
    let content = fs::read(multivec_testing::folders::fixture("hub/mv-pylate-bert").join(WEIGHTS));
    let etag = multivec_testing::hub::sha256(&content.expect("it is there"));
    let blobs = setting.folder().join("blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    fs::write(blobs.join(format!("{etag}.incomplete")), [7; 300]).expect("written");
    from_dir(setting.pull().expect("it is downloaded").directory.root());
}

#[test]
fn a_hub_is_given_the_time_that_it_asks_for() {
    let setting = Setting::new();
    let after = vec![("Retry-After", "1".to_owned())];
    setting.hub.plan("/api/", Fault::Status(429, after));
    let limit = vec![("RateLimit", "\"resolvers\";r=0;t=0".to_owned())];
    setting.hub.plan("HEAD", Fault::Status(429, limit));
    setting
        .hub
        .plan("GET /org/colbert/resolve", Fault::Status(502, Vec::new()));
    setting.pull().expect("it is patient");
    let mut heard = setting.heard();
    heard.retain(|text| text.starts_with("status"));
    assert_eq!(
        heard,
        ["status 429, 0ns", "status 429, 1s", "status 502, 300ms"]
    );

    // But not for ever.
    let after = vec![("Retry-After", "86400".to_owned())];
    setting.hub.plan("/api/", Fault::Status(429, after));
    let error = setting.pull().expect_err("a day is too long").to_string();
    assert!(error.contains("429"), "{error}");
}
