//! Options, completed by the environment.

use std::path::{Path, PathBuf};

use multivec_core::{Error, Result};

use super::options::{HubEvent, HubOptions, Listener, Network};

const ENDPOINT: &str = "https://huggingface.co";

/// What is known before the hub is asked.
#[derive(Clone)]
pub(super) struct Settings {
    /// Without a slash at the end.
    pub(super) endpoint: String,
    pub(super) token: Option<String>,
    pub(super) cache: PathBuf,
    pub(super) network: Network,
    /// Certificates to trust in place of the usual ones.
    pub(super) certificates: Option<PathBuf>,
    listener: Option<Listener>,
}

impl Settings {
    /// Source of names and order: `constants.py` and `utils/_auth.py` of
    /// huggingface_hub.
    pub(super) fn of(options: &HubOptions) -> Result<Self> {
        Self::with_environment(options, &|name| std::env::var(name).ok())
    }

    fn with_environment(
        options: &HubOptions,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let get = |name: &str| environment(name).filter(|value| !value.is_empty());
        let path = |name: &str| get(name).map(|path| expand(&path));
        let home = || {
            path("HF_HOME").or_else(|| {
                let cache =
                    path("XDG_CACHE_HOME").or_else(|| Some(dirs::home_dir()?.join(".cache")));
                Some(cache?.join("huggingface"))
            })
        };
        let cache = options
            .cache_dir
            .clone()
            .or_else(|| path("HF_HUB_CACHE"))
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(home()?.join("hub")))
            .ok_or_else(|| {
                let expected = "a folder for downloads, since there is no home directory";
                Error::option("cache_dir", expected, "none")
            })?;
        let endpoint = options.endpoint.clone().or_else(|| get("HF_ENDPOINT"));
        let endpoint = endpoint.unwrap_or_else(|| ENDPOINT.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            let expected = "an address that starts with https:// or http://";
            return Err(Error::option("endpoint", expected, endpoint));
        }
        let is_on = |name: &str| {
            get(name).is_some_and(|value| {
                ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str())
            })
        };
        let network = match options.network {
            Network::Environment if is_on("HF_HUB_OFFLINE") || is_on("TRANSFORMERS_OFFLINE") => {
                Network::Offline
            }
            Network::Environment => Network::Online,
            chosen => chosen,
        };
        let implicit = || {
            if is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
                return None;
            }
            get("HF_TOKEN")
                .or_else(|| get("HUGGING_FACE_HUB_TOKEN"))
                .or_else(|| {
                    read_token(&path("HF_TOKEN_PATH").or_else(|| Some(home()?.join("token")))?)
                })
        };
        let token = options.token.clone().or_else(implicit);
        let token = token.map(|token| token.trim().to_owned());
        let token = token.filter(|token| !token.is_empty());
        if let Some(token) = &token
            && !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let expected = "a token of printable ASCII characters";
            return Err(Error::option("token", expected, "other characters"));
        }
        Ok(Self {
            endpoint,
            token,
            cache,
            network,
            certificates: path("SSL_CERT_FILE").or_else(|| path("REQUESTS_CA_BUNDLE")),
            listener: options.listener.clone(),
        })
    }

    pub(super) fn report(&self, event: &HubEvent<'_>) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }
}

fn read_token(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Replaces `~` at the start.
fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), dirs::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use std::fs;

    use super::*;

    fn settings(options: &HubOptions, variables: &[(&str, &str)]) -> Result<Settings> {
        Settings::with_environment(options, &|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_completes_options() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let home = home.path().to_str().expect("a name in Unicode");
        let plain = HubOptions::default();
        let found = settings(&plain, &[("HF_HOME", home)]).expect("valid");
        assert_eq!(found.endpoint, ENDPOINT);
        assert_eq!(found.cache, Path::new(home).join("hub"));
        assert_eq!((found.token, found.network), (None, Network::Online));

        fs::write(Path::new(home).join("token"), "hf_file\n").expect("written");
        let found = settings(&plain, &[("HF_HOME", home)]).expect("valid");
        assert_eq!(found.token.as_deref(), Some("hf_file"));
        let variables = [
            ("HF_HOME", home),
            ("HF_TOKEN", "hf_variable"),
            ("HF_HUB_CACHE", "/cache"),
            ("HF_ENDPOINT", "http://127.0.0.1:1/"),
            ("HF_HUB_OFFLINE", "1"),
        ];
        let found = settings(&plain, &variables).expect("valid");
        assert_eq!(found.token.as_deref(), Some("hf_variable"));
        assert_eq!(found.cache, Path::new("/cache"));
        assert_eq!(found.endpoint, "http://127.0.0.1:1");
        assert_eq!(found.network, Network::Offline);

        let options = HubOptions::default()
            .with_token("")
            .with_network(Network::Online)
            .with_cache_dir("/other")
            .with_endpoint("https://mirror");
        let found = settings(&options, &variables).expect("valid");
        assert_eq!((found.token, found.network), (None, Network::Online));
        assert_eq!(found.cache, Path::new("/other"));
        assert_eq!(found.endpoint, "https://mirror");
    }

    #[test]
    fn tokens_are_not_shown() {
        let options = HubOptions::default().with_token("hf_secret");
        assert!(!format!("{options:?}").contains("secret"));
        let error = settings(&HubOptions::default().with_token("a\nb"), &[]);
        let error = error.err().expect("a line break is refused");
        assert!(error.to_string().contains("token"), "{error}");
    }
}
