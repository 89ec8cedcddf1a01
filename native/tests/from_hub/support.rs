//! A hub with one model, and a cache.

use std::path::Path;
use std::sync::{Arc, Mutex};

use multivec::hub::{HubEvent, HubModel, HubOptions, Network, pull};
use multivec::{Encoder, EncoderBuilder, Engine, LoadOptions, Optimization, Result};
use multivec_testing::folders::fixture;
use multivec_testing::hub::{Hub, Origin, Repository, Seen};
use tempfile::TempDir;

pub const ID: &str = "org/colbert";
pub const WEIGHTS: &str = "model.safetensors";
/// The files of the model, without the references beside them.
pub const FILES: [&str; 9] = [
    "1_Dense/config.json",
    "1_Dense/model.safetensors",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// A fixture as a model of a hub.
pub fn repository() -> Repository {
    Repository::new(ID).with_folder("main", &fixture("hub/mv-pylate-bert"))
}

/// A hub, the cache of one user, and what was heard from it.
pub struct Setting {
    pub hub: Hub,
    pub cache: TempDir,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Setting {
    pub fn new() -> Self {
        Self::with(repository())
    }

    pub fn with(repository: Repository) -> Self {
        Self {
            hub: Hub::start([repository]),
            cache: tempfile::tempdir().expect("a temporary folder"),
            heard: Arc::default(),
        }
    }

    pub fn options(&self) -> HubOptions {
        let heard = Arc::clone(&self.heard);
        HubOptions::default()
            .with_endpoint(self.hub.endpoint())
            .with_cache_dir(self.cache.path())
            .with_network(Network::Online)
            .with_token("")
            .with_listener(move |event| {
                let text = match event {
                    HubEvent::Progress { file, done, of, .. } => {
                        if Some(*done) != *of {
                            return;
                        }
                        format!("got {file}")
                    }
                    HubEvent::Locked { file, .. } => format!("locked {file}"),
                    HubEvent::Waiting { reason, delay, .. } => format!("{reason}, {delay:?}"),
                    HubEvent::Unreachable { reason, origin, .. } => {
                        format!("{origin} serves: {reason}")
                    }
                    other => panic!("{other:?}"),
                };
                heard.lock().expect("nobody panics").push(text);
            })
    }

    pub fn offline(&self) -> HubOptions {
        self.options().with_network(Network::Offline)
    }

    pub fn pull(&self) -> Result<HubModel> {
        pull(ID, &self.options(), &LoadOptions::default())
    }

    /// What was heard since the last call.
    pub fn heard(&self) -> Vec<String> {
        let mut heard = std::mem::take(&mut *self.heard.lock().expect("nobody panics"));
        heard.sort();
        heard
    }

    /// The lines of all requests to one of the origins since the last call.
    pub fn seen(&self, origin: Origin) -> Vec<Seen> {
        let mut seen = self.hub.take_seen();
        seen.retain(|seen| seen.origin == origin);
        seen
    }

    /// Part of the address of a large file.
    pub fn storage_of(&self, file: &str) -> String {
        let content = std::fs::read(fixture("hub/mv-pylate-bert").join(file)).expect("it is there");
        format!("GET /{}", multivec_testing::hub::sha256(&content))
    }

    /// The folder of the model in the cache.
    pub fn folder(&self) -> std::path::PathBuf {
        self.cache.path().join("models--org--colbert")
    }
}

/// An encoder as cheap as possible.
pub fn build(builder: EncoderBuilder) -> Result<Encoder> {
    builder
        .with_engine(Engine::OnnxRuntime)
        .with_optimization(Optimization::Off)
        .build()
}

pub fn from_dir(root: &Path) -> Encoder {
    build(EncoderBuilder::from_dir(root)).expect("the folder loads")
}

/// The paths of all files of a folder.
pub fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                walk(&path, &format!("{prefix}{name}/"), found);
            } else {
                found.push(format!("{prefix}{name}"));
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found
}
