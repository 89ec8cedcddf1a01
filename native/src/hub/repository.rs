//! A repository at one commit, and which of its files a model needs.

use std::fmt;
use std::fs::{self, File};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use multivec_core::model::{DenseWeights, ModelFolder, Module, WeightsFile};
use multivec_core::{Error, Result};
use multivec_graph::Graph;
use multivec_graph::safetensors::shard_files;

use super::address::shown;
use super::cache::Cache;
use super::client::{Client, Failure};
use super::commit::is_commit;
use super::download::Download;
use super::id::{HubId, is_revision};
use super::listing::{self, Listing};
use super::options::{HubEvent, HubOptions, Network};
use super::settings::Settings;
use crate::model::ModelDirectory;
use crate::options::LoadOptions;
use crate::trace::event;

const REVISION: &str = "main";
/// Why a hub is not asked.
const OFFLINE: &str = "the hub must not be asked";
/// Downloads side by side.
const WORKERS: usize = 4;

/// A repository whose commit is known.
pub(crate) struct Repository {
    id: HubId,
    revision: String,
    commit: String,
    cache: Cache,
    source: Source,
    /// What it has, if it was ever listed: a cache that others have filled only
    /// says what they have fetched.
    folder: Option<ModelFolder>,
}

/// Where files come from that are not in the cache.
enum Source {
    Hub(Client),
    /// From nowhere, for this reason.
    Cache(String),
}

impl Repository {
    /// Finds out which commit to load, and what it has.
    pub(crate) fn open(id: &str, options: &HubOptions) -> Result<Self> {
        let id: HubId = id.parse()?;
        let revision = revision(&id, options)?;
        let settings = Settings::of(options)?;
        let cache = Cache::of(&settings.cache, id.name());
        let mut repository = if settings.network == Network::Offline {
            let endpoint = shown(&settings.endpoint);
            let place = cache.root().display().to_string();
            let expected = format!("{}@{revision} in {place}, since {OFFLINE}", id.name());
            Self::cached(id, revision, cache, OFFLINE.to_owned())
                .ok_or_else(|| Error::hub(endpoint, expected, "no such model there"))?
        } else {
            Self::listed(id, revision, cache, &settings)?
        };
        repository.read_folder()?;
        Ok(repository)
    }

    /// Asks the hub, unless nothing can have changed.
    fn listed(id: HubId, revision: String, cache: Cache, settings: &Settings) -> Result<Self> {
        let client = Client::new(settings)?;
        let known = cache.listing(&revision).filter(|_| is_commit(&revision));
        let Listing { commit, files } = match known {
            Some(listing) => listing,
            None => match listing::request(&client, &id, &revision) {
                Ok(listing) => {
                    // Of use later, and not where this cache cannot be written.
                    drop(cache.keep_listing(&listing));
                    listing
                }
                Err(Failure::Unreachable(error)) => {
                    let reason = &*error.to_string();
                    let repository = Self::cached(id, revision, cache, reason.to_owned());
                    let repository = repository.ok_or(error)?;
                    let origin = &*repository.origin();
                    event!(
                        WARN,
                        origin = origin,
                        reason = reason,
                        "the hub cannot be reached"
                    );
                    settings.report(&HubEvent::Unreachable { reason, origin });
                    return Ok(repository);
                }
                Err(Failure::Refused(error)) => return Err(error),
            },
        };
        let folder = folder(&cache, &commit, files);
        Ok(Self {
            id,
            revision,
            commit,
            cache,
            source: Source::Hub(client),
            folder: Some(folder),
        })
    }

    /// What is cached, if anything is, and why nothing else serves.
    fn cached(id: HubId, revision: String, cache: Cache, reason: String) -> Option<Self> {
        let commit = cache.find(&revision)?;
        let listing = cache.listing(&commit);
        let folder = listing.map(|listing| folder(&cache, &commit, listing.files));
        Some(Self {
            id,
            revision,
            commit,
            cache,
            source: Source::Cache(reason),
            folder,
        })
    }

    /// Repository and commit.
    pub(crate) fn origin(&self) -> String {
        format!("{}@{}", self.id.name(), self.commit)
    }

    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    /// The model directory, with all files that these options need.
    pub(crate) fn directory(&self, options: &LoadOptions) -> Result<ModelDirectory> {
        let snapshot = self.cache.snapshot(&self.commit);
        let Some(folder) = &self.folder else {
            return ModelDirectory::open(snapshot);
        };
        let directory = ModelDirectory::listed(snapshot, folder.clone())?;
        let weights = directory.choose_for(options)?;
        let description = directory.description();
        let mut files = vec![weights.path().to_owned(), description.tokenizer.clone()];
        files.extend(description.module_files());
        let is_in_transformer = |module: &Module| matches!(module, Module::Dense(dense) if dense.weights == DenseWeights::Transformer);
        // Unless it is in the graph, such a layer is taken from there.
        if description.modules.iter().any(is_in_transformer) && folder.has(WEIGHTS) {
            files.push(WEIGHTS.to_owned());
        }
        self.ensure(&files)?;
        self.ensure(&self.parts_of(folder, weights)?)?;
        if let Source::Hub(_) = &self.source {
            // As the listing.
            drop(self.cache.keep_revision(&self.revision, &self.commit));
        }
        Ok(directory)
    }

    /// Reads the files that a description depends on.
    fn read_folder(&mut self) -> Result<()> {
        let Some(folder) = self.folder.take() else {
            return Ok(());
        };
        let small: Vec<String> = folder
            .paths()
            .filter(|path| ModelFolder::reads(path))
            .map(str::to_owned)
            .collect();
        self.ensure(&small)?;
        let filled = small.into_iter().try_fold(folder, |folder, path| {
            let file = self.cache.file(&self.commit, &path);
            let content = fs::read(&file);
            let content = content.map_err(|source| Error::io(file.display(), "reading", source))?;
            Ok::<_, Error>(folder.with_file(path, content))
        })?;
        self.folder = Some(filled);
        Ok(())
    }

    /// The files that weights name, among those that the repository has.
    fn parts_of(&self, folder: &ModelFolder, weights: &WeightsFile) -> Result<Vec<String>> {
        let path = weights.path();
        let file = self.cache.file(&self.commit, path);
        let (parent, name) = match path.rsplit_once('/') {
            Some((parent, name)) => (format!("{parent}/"), name),
            None => (String::new(), path),
        };
        let shown = file.display().to_string();
        let reading = |source| Error::io(&shown, "reading", source);
        let names: Vec<String> = match weights {
            WeightsFile::SafetensorsIndex(_) => {
                let json = fs::read(&file).map_err(reading)?;
                shard_files(&shown, &json)?.into_iter().collect()
            }
            WeightsFile::Onnx(_) => {
                let opened = File::open(&file).map_err(reading)?;
                match Graph::scan(&shown, name, opened) {
                    Ok(graph) => {
                        let names = graph.external_files().into_iter();
                        names.map(str::to_owned).collect()
                    }
                    // Loading says what is wrong with it.
                    Err(_) => Vec::new(),
                }
            }
            _ => Vec::new(),
        };
        let paths = names.into_iter().map(|name| format!("{parent}{name}"));
        Ok(paths.filter(|path| folder.has(path)).collect())
    }

    /// Downloads those of the files that are not there.
    fn ensure(&self, files: &[String]) -> Result<()> {
        let is_missing = |path: &&String| !self.cache.has(&self.commit, path);
        let missing: Vec<&String> = files.iter().filter(is_missing).collect();
        let Some(first) = missing.first() else {
            return Ok(());
        };
        let client = match &self.source {
            Source::Hub(client) => client,
            Source::Cache(reason) => {
                let expected = format!("{first} of {}, since {reason}", self.origin());
                let place = self.cache.root().display();
                return Err(Error::hub(place, expected, "no such file there"));
            }
        };
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
        thread::scope(|scope| {
            for _ in 0..WORKERS.min(missing.len()) {
                scope.spawn(|| {
                    while let Some(path) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if lock().is_some() {
                            return;
                        }
                        let download = Download {
                            client,
                            cache: &self.cache,
                            name: self.id.name(),
                            commit: &self.commit,
                            path,
                        };
                        if let Err(error) = download.run() {
                            lock().get_or_insert(error);
                        }
                    }
                });
            }
        });
        match lock().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.origin())
    }
}

/// The transformer's weights in the root.
const WEIGHTS: &str = "model.safetensors";

/// A listing, without the content of files.
fn folder(cache: &Cache, commit: &str, files: Vec<String>) -> ModelFolder {
    let empty = ModelFolder::new(cache.snapshot(commit).display().to_string());
    files.into_iter().fold(empty, ModelFolder::with_path)
}

fn revision(id: &HubId, options: &HubOptions) -> Result<String> {
    let revision = match (id.revision(), &options.revision) {
        (Some(one), Some(other)) if one != other => {
            let expected = format!("`{one}`, as the id says");
            return Err(Error::option(
                "revision",
                expected,
                format_args!("`{other}`"),
            ));
        }
        (Some(revision), _) => revision,
        (None, Some(revision)) => revision,
        (None, None) => REVISION,
    };
    if !is_revision(revision) {
        let expected = "the name of a branch, a tag or a commit";
        return Err(Error::option(
            "revision",
            expected,
            format_args!("`{revision}`"),
        ));
    }
    Ok(revision.to_owned())
}
