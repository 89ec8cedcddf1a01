//! Models by their ids, from a hub on loopback.

#![cfg(feature = "hub")]
#![allow(clippy::expect_used, clippy::panic)]

mod command;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use command::{last_json, multivec};
use multivec_testing::folders::fixture;
use multivec_testing::hub::{Fault, Hub, Origin, Repository};
use safetensors::SafeTensors;
use serde_json::Value;

const ID: &str = "org/colbert";

fn repository() -> Repository {
    Repository::new(ID)
        .with_token("hf_secret")
        .with_folder("main", &fixture("hub/mv-pylate-bert"))
}

/// `multivec` with a home of its own.
fn command(endpoint: &str, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_multivec"));
    command
        .current_dir(home)
        .args(arguments)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", home)
        .env("HF_TOKEN", "hf_secret")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(endpoint: &str, home: &Path, arguments: &[&str]) -> Output {
    command(endpoint, home, arguments)
        .output()
        .expect("multivec starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn ids_stand_for_folders() {
    let hub = Hub::start([repository()]);
    let home = tempfile::tempdir().expect("a temporary folder");
    let run = |arguments: &[&str]| run(hub.endpoint(), home.path(), arguments);
    let origin = format!("{ID}@{}", repository().hash("main"));

    let output = run(&["info", "--json", "--model", ID]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let info = last_json(&output);
    assert_eq!(
        (&info["origin"], &info["model"]),
        (&origin.clone().into(), &origin.clone().into())
    );
    assert_eq!(info["format"], "PyLate");
    let listings = hub.take_seen();
    let listings = listings.iter().filter(|seen| seen.line.contains("/api/"));
    assert_eq!(listings.count(), 1);

    fs::write(
        home.path().join("texts.txt"),
        "Bees make honey.\nOne text.\n",
    )
    .expect("written");
    for name in ["out.safetensors", "out.jsonl"] {
        let encode = [
            "encode",
            "--json",
            "--kind",
            "document",
            "--input",
            "texts.txt",
        ];
        let output = run(&[&encode[..], &["--model", ID, "--output", name]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(last_json(&output)["origin"], *origin);
        let written = fs::read(home.path().join(name)).expect("it is written");
        if name.ends_with(".jsonl") {
            for line in text(&written).lines() {
                let line: Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(line["origin"], *origin);
            }
        } else {
            let (_, header) = SafeTensors::read_metadata(&written).expect("a header");
            let metadata = header.metadata().as_ref().expect("metadata");
            assert_eq!(metadata.get("origin"), Some(&origin));
        }
    }

    // Files of its own are not to be changed.
    let output = run(&["quantize", "--model", ID]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("--output"),
        "{}",
        text(&output.stderr)
    );
    let output = run(&["export", "--model", ID, "--output", "exported"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(home.path().join("exported/model.onnx").is_file());
    assert!(
        hub.take_seen()
            .iter()
            .all(|seen| seen.origin == Origin::Hub || seen.authorization.is_none())
    );

    // A folder of that name comes first.
    fs::create_dir_all(home.path().join("org/colbert")).expect("a folder");
    let output = run(&["info", "--model", ID]);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("missing"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(hub.take_seen(), []);
}

#[test]
fn processes_share_downloads_and_say_what_they_wait_for() {
    let hub = Hub::start([repository()]);
    let home = tempfile::tempdir().expect("a temporary folder");
    let weights = fs::read(fixture("hub/mv-pylate-bert/model.safetensors")).expect("weights");
    let weights = multivec_testing::hub::sha256(&weights);
    hub.plan(
        &weights,
        Fault::Late(std::time::Duration::from_millis(1500)),
    );
    let pull = ["pull", "--json", ID];
    let children: Vec<_> = (0..2)
        .map(|_| {
            command(hub.endpoint(), home.path(), &pull)
                .spawn()
                .expect("multivec starts")
        })
        .collect();
    let outputs: Vec<Output> = children
        .into_iter()
        .map(|child| child.wait_with_output().expect("multivec ends"))
        .collect();
    for output in &outputs {
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(last_json(output)["revision"], *repository().hash("main"));
    }
    let seen = hub.take_seen();
    let downloads = seen.iter().filter(|seen| seen.line.contains(&weights));
    assert_eq!(downloads.count(), 1, "{seen:?}");
}

#[test]
fn notices_and_errors_name_the_hub() {
    let hub = Hub::start([repository()]);
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = run(hub.endpoint(), home.path(), &["pull", "org/missing@v1"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(
        message.contains("org/missing at v1") && message.contains(hub.endpoint()),
        "{message}"
    );
    assert!(!message.contains("hf_secret"), "{message}");
    let output = multivec(&["pull", "no id"]);
    assert_eq!(output.status.code(), Some(2));

    let pulled = run(hub.endpoint(), home.path(), &["pull", ID]);
    assert!(pulled.status.success(), "{}", text(&pulled.stderr));
    assert!(
        text(&pulled.stdout).starts_with(&format!("{ID}@")),
        "{}",
        text(&pulled.stdout)
    );
    let endpoint = hub.stop();
    let output = run(&endpoint, home.path(), &["pull", ID]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let message = text(&output.stderr);
    assert!(
        message.contains("note: the hub cannot be reached"),
        "{message}"
    );
    let offline = command(&endpoint, home.path(), &["pull", ID])
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .expect("multivec starts");
    assert!(
        offline.status.success() && offline.stderr.is_empty(),
        "{}",
        text(&offline.stderr)
    );
}
