//! What a caller says about a hub, and hears from it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Whether the hub may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Network {
    /// Unless `HF_HUB_OFFLINE` says otherwise.
    #[default]
    Environment,
    /// Always.
    Online,
    /// Never: what is cached serves.
    Offline,
}

/// What happens while a model is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubEvent<'a> {
    /// A part of a file has come; with `done` at the start and `of` at the end.
    #[non_exhaustive]
    Progress {
        /// Path of the file in the repository.
        file: &'a str,
        /// Bytes so far, those of earlier runs included.
        done: u64,
        /// Bytes of the file, where the hub states them.
        of: Option<u64>,
    },
    /// Another process downloads a file, and is waited for.
    #[non_exhaustive]
    Locked {
        /// Path of the file in the repository.
        file: &'a str,
    },
    /// The hub asks for patience, or is asked again.
    #[non_exhaustive]
    Waiting {
        /// What it answered.
        reason: &'a str,
        /// How long the next request waits.
        delay: Duration,
    },
    /// The hub cannot be reached: what is cached serves.
    #[non_exhaustive]
    Unreachable {
        /// What came in place of an answer.
        reason: &'a str,
        /// The repository and the commit that serves.
        origin: &'a str,
    },
}

pub(super) type Listener = Arc<dyn Fn(&HubEvent<'_>) + Send + Sync>;

/// Which hub is asked, and how.
///
/// What is not set is taken from the environment, as Hugging Face's Python
/// libraries do.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct HubOptions {
    /// Branch, tag or commit; by default that of the id, else `main`.
    pub revision: Option<String>,
    /// Sent to the endpoint and nowhere else; by default `HF_TOKEN`, else the
    /// file that `HF_TOKEN_PATH` names, else `token` in `HF_HOME`. An empty
    /// text for none.
    pub token: Option<String>,
    /// By default `HF_ENDPOINT`, else `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// By default `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else
    /// `~/.cache/huggingface/hub`.
    pub cache_dir: Option<PathBuf>,
    /// Whether the hub may be asked.
    pub network: Network,
    pub(super) listener: Option<Listener>,
}

impl HubOptions {
    /// Loads this branch, tag or commit.
    #[must_use]
    pub fn with_revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    /// Sends this token to the endpoint.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Asks this hub.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Keeps files in this folder.
    #[must_use]
    pub fn with_cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }

    /// Asks the hub, or does not.
    #[must_use]
    pub fn with_network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Calls `listener` with what happens, from the threads that download.
    #[must_use]
    pub fn with_listener(
        mut self,
        listener: impl Fn(&HubEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("revision", &self.revision)
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("endpoint", &self.endpoint)
            .field("cache_dir", &self.cache_dir)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}
