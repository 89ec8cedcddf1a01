//! What serves from the cache, and when.

use std::fs;

use multivec::hub::{HubModel, Network, pull};
use multivec::{EncoderBuilder, LoadOptions, Precision};
use multivec_testing::folders::fixture;
use multivec_testing::hub::{Fault, Hub, Origin, Repository};

use crate::support::{FILES, ID, Setting, build, files, from_dir, repository};

#[test]
fn nothing_is_downloaded_twice() {
    let setting = Setting::new();
    let first = setting.pull().expect("it is downloaded");
    setting.hub.take_seen();
    assert_eq!(setting.pull().expect("it is there").origin, first.origin);
    let seen = setting.hub.take_seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].line, format!("GET /api/models/{ID}/revision/main"));

    // A new commit shares the content that has not changed.
    let mut content = std::collections::BTreeMap::new();
    for name in FILES {
        let path = fixture("hub/mv-pylate-bert").join(name);
        content.insert(name.to_owned(), fs::read(path).expect("it is there"));
    }
    content.insert("README.md".to_owned(), b"news".to_vec());
    setting
        .hub
        .put(Repository::new(ID).with_commit("main", content));
    let second = setting.pull().expect("it is linked");
    assert_ne!(second.commit, first.commit);
    let seen = setting.hub.take_seen();
    assert!(
        seen.iter().all(|seen| !seen.line.starts_with("GET /org/")),
        "{seen:?}"
    );
    assert_eq!(files(second.directory.root()), FILES);
}

#[test]
fn what_others_downloaded_serves() {
    let setting = Setting::new();
    let commit = repository().hash("main");
    let snapshot = setting.folder().join("snapshots").join(&commit);
    fs::create_dir_all(snapshot.join("1_Dense")).expect("a folder");
    for name in FILES {
        fs::copy(
            fixture("hub/mv-pylate-bert").join(name),
            snapshot.join(name),
        )
        .expect("copied");
    }
    fs::create_dir_all(setting.folder().join("refs")).expect("a folder");
    fs::write(setting.folder().join("refs/main"), &commit).expect("written");
    let builder = EncoderBuilder::from_hub(ID).with_hub_options(setting.offline());
    let encoder = build(builder).expect("it is in the cache");
    assert_eq!(encoder.origin(), Some(&*format!("{ID}@{commit}")));
    assert_eq!(setting.hub.take_seen(), []);
    setting.pull().expect("it is in the cache");
    assert_eq!(setting.hub.take_seen().len(), 1);
}

#[test]
fn offline_is_what_is_there() {
    let setting = Setting::new();
    let offline = |options: &LoadOptions| pull(ID, &setting.offline(), options);
    let error = offline(&LoadOptions::default()).expect_err("nothing is there");
    assert_eq!(error.code(), "hub");
    assert!(error.to_string().contains("must not be asked"), "{error}");
    let found = setting.pull().expect("it is downloaded");
    setting.hub.take_seen();
    let again = offline(&LoadOptions::default()).expect("it is there");
    assert_eq!(again.directory.root(), found.directory.root());
    assert_eq!(setting.hub.take_seen(), []);
}

#[test]
fn offline_does_not_choose_other_weights() {
    let setting = Setting::with(Repository::new(ID).with_folder("main", &fixture("tiny-bert")));
    let mut fp32 = LoadOptions::default();
    fp32.precision = Some(Precision::Fp32);
    pull(ID, &setting.options(), &fp32).expect("it is downloaded");
    pull(ID, &setting.offline(), &fp32).expect("it is there");
    // By default the hub's model is that of 8 bits.
    let error = pull(ID, &setting.offline(), &LoadOptions::default());
    let error = error.expect_err("it was not downloaded").to_string();
    assert!(error.contains("model_int8.onnx of org/colbert@"), "{error}");
}

#[test]
fn a_hub_that_is_down_is_replaced_with_a_notice() {
    let setting = Setting::new();
    let HubModel {
        origin, directory, ..
    } = setting.pull().expect("it is downloaded");
    let folder = directory.root();
    setting.heard();
    for _ in 0..4 {
        setting.hub.plan("/api/", Fault::Status(503, Vec::new()));
    }
    let found = setting.pull().expect("the cache serves");
    assert_eq!(found.directory.root(), folder);
    let heard = setting.heard();
    let notice = heard
        .iter()
        .find(|text| text.starts_with(&origin))
        .expect("a notice");
    assert!(notice.contains("status 503"), "{notice}");
    assert_eq!(heard.len(), 4, "{heard:?}");
    from_dir(found.directory.root());

    // Then it does not answer at all.
    let options = setting.options();
    let endpoint = setting.hub.stop();
    let found = pull(ID, &options, &LoadOptions::default()).expect("the cache serves");
    assert_eq!(found.directory.root(), folder);
    let error = pull("org/other", &options, &LoadOptions::default()).expect_err("not cached");
    assert_eq!(error.code(), "hub");
    assert!(error.to_string().contains(&endpoint), "{error}");
    assert!(error.to_string().contains("no answer"), "{error}");
}

#[test]
fn a_hub_that_refuses_is_not_replaced() {
    let setting = Setting::new();
    setting.pull().expect("it is downloaded");
    setting.heard();
    for (status, meaning) in [
        (401, "needs a token"),
        (403, "licence"),
        (404, "no such model or revision"),
        (400, "status 400"),
    ] {
        setting.hub.plan("/api/", Fault::Status(status, Vec::new()));
        let error = setting.pull().expect_err("the hub has refused");
        assert_eq!(error.code(), "hub");
        let error = error.to_string();
        assert!(
            error.contains(meaning) && error.contains(&status.to_string()),
            "{error}"
        );
        assert!(error.contains("the model org/colbert at main"), "{error}");
    }
    // Nor one that asks for patience.
    for _ in 0..4 {
        setting.hub.plan(
            "/api/",
            Fault::Status(429, vec![("Retry-After", "0".to_owned())]),
        );
    }
    let error = setting.pull().expect_err("the hub has refused").to_string();
    assert!(
        error.contains("429") && error.contains("too many requests"),
        "{error}"
    );
    let heard = setting.heard();
    assert!(
        heard.iter().all(|text| !text.contains("serves")),
        "{heard:?}"
    );
    setting.pull().expect("it answers again");
}

#[test]
fn the_wrong_endpoint_is_an_error() {
    // Something else than a hub.
    let setting = Setting::new();
    let other = Hub::start([]);
    other.plan(
        "GET",
        Fault::Status(200, vec![("Content-Type", "text/html".to_owned())]),
    );
    let options = setting.options().with_endpoint(other.endpoint());
    let error = pull(ID, &options, &LoadOptions::default()).expect_err("no listing");
    assert_eq!(error.code(), "hub");
    let options = setting
        .options()
        .with_endpoint("ftp://hub")
        .with_network(Network::Online);
    let error = pull(ID, &options, &LoadOptions::default()).expect_err("no address");
    assert_eq!(error.code(), "invalid_option");
    assert_eq!(setting.seen(Origin::Hub), []);
}
