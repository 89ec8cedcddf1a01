//! What a hub does not give.

use multivec::LoadOptions;
use multivec::hub::pull;
use multivec_testing::hub::{Fault, Repository};

use crate::support::{ID, Setting, repository};

fn error(setting: &Setting, id: &str, token: &str) -> String {
    let options = setting.options().with_token(token);
    let error = pull(id, &options, &LoadOptions::default()).expect_err("the hub refuses");
    assert_eq!(error.code(), "hub", "{error}");
    error.to_string()
}

#[test]
fn models_that_need_a_token_say_so() {
    let setting = Setting::with(repository().with_token("hf_right"));
    let message = error(&setting, ID, "");
    for part in [
        setting.hub.endpoint(),
        "401",
        "licence",
        "token",
        "restricted",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let message = error(&setting, ID, "hf_wrong");
    assert!(
        message.contains("403") && !message.contains("hf_wrong"),
        "{message}"
    );
    let options = setting.options().with_token("hf_right");
    pull(ID, &options, &LoadOptions::default()).expect("the token is the right one");
}

#[test]
fn models_and_revisions_that_are_missing_are_named() {
    let setting = Setting::new();
    let message = error(&setting, "org/missing", "");
    assert!(
        message.contains("org/missing at main") && message.contains("needs a token"),
        "{message}"
    );
    let message = error(&setting, "org/missing", "hf_any");
    assert!(
        message.contains("404") && message.contains("no such model"),
        "{message}"
    );
    let message = error(&setting, "org/colbert@v9", "");
    assert!(
        message.contains("at v9") && message.contains("no such revision"),
        "{message}"
    );
}

#[test]
fn repositories_without_a_model_are_refused_before_weights_are_downloaded() {
    let files = [("README.md", "text"), ("model.safetensors", "weights")];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let setting = Setting::with(Repository::new(ID).with_commit("main", files.into()));
    let error = setting.pull().expect_err("there is no model");
    assert_eq!(error.code(), "missing_file");
    assert_eq!(setting.hub.take_seen().len(), 1);
}

#[test]
fn a_file_of_another_commit_is_refused() {
    let setting = Setting::new();
    let headers = vec![
        ("X-Repo-Commit", "0".repeat(40)),
        ("ETag", "\"a\"".to_owned()),
    ];
    setting.hub.plan("HEAD", Fault::Status(200, headers));
    let error = setting
        .pull()
        .expect_err("it is not what was asked for")
        .to_string();
    assert!(error.contains(&"0".repeat(40)), "{error}");
    let headers = vec![("ETag", "\"../../x\"".to_owned())];
    setting.hub.plan("HEAD", Fault::Status(200, headers));
    let error = setting.pull().expect_err("no name of a file").to_string();
    assert!(error.contains("../../x"), "{error}");
}
