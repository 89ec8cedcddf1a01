//! One file, from a hub into the cache.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::thread;
use std::time::Duration;

use multivec_core::{Error, Result};
use ureq::Body;
use ureq::http::{HeaderMap, Response, StatusCode};

use super::address::{encoded, shown};
use super::cache::{Cache, create};
use super::client::{Client, Method, Request, text};
use super::commit::is_etag;
use super::options::HubEvent;
use super::verify::other_hash;

const BUFFER: usize = 256 << 10;
/// Transfers that may break one after the other without a byte more.
const ATTEMPTS: u32 = 5;
const DELAY: Duration = Duration::from_millis(200);

/// A file of a repository.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) cache: &'a Cache,
    /// `org/name`.
    pub(super) name: &'a str,
    pub(super) commit: &'a str,
    pub(super) path: &'a str,
}

/// What a hub says about a file.
struct Metadata {
    /// The name of its content.
    etag: String,
    size: Option<u64>,
}

/// Whether a file has the content that its ETag names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Named,
    Other,
}

/// Where the start of a partial file is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Here,
    EarlierRun,
}

impl Download<'_> {
    pub(super) fn run(&self) -> Result<()> {
        let found = self.metadata()?;
        let Metadata { etag, size } = &found;
        if !self.is_complete(&found) {
            let lock = self.cache.lock(etag, || {
                let file = self.path;
                self.report(&HubEvent::Locked { file });
            })?;
            // Unless somebody else had the lock for this.
            if !self.is_complete(&found) {
                create(&self.cache.root().join("blobs"))?;
                if self.fetch(etag, *size)? == Content::Other {
                    // What an earlier run left was of something else.
                    self.fetch(etag, *size)?;
                }
            }
            drop(lock);
        }
        self.cache.link(self.commit, self.path, etag)
    }

    fn is_complete(&self, found: &Metadata) -> bool {
        let data = fs::metadata(self.cache.blob(&found.etag));
        data.is_ok_and(|data| found.size.is_none_or(|size| data.len() == size))
    }

    fn metadata(&self) -> Result<Metadata> {
        let response = self.send(Method::Head, 0)?;
        let headers = response.headers();
        let commit = text(headers, "x-repo-commit");
        if let Some(other) = commit.filter(|commit| *commit != self.commit) {
            return Err(self.error(format_args!("that of the commit `{other}`")));
        }
        let linked = text(headers, "x-linked-etag");
        let etag = linked.or_else(|| text(headers, "etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"');
        if !is_etag(etag) {
            return Err(self.error(format_args!("the ETag `{}`", etag.escape_debug())));
        }
        let linked = number(headers, "x-linked-size");
        let is_direct = response.status().is_success();
        let own = || number(headers, "content-length").filter(|_| is_direct);
        Ok(Metadata {
            etag: etag.to_owned(),
            size: linked.or_else(own),
        })
    }

    /// Downloads into the partial file, checks it, and gives it its name.
    fn fetch(&self, etag: &str, size: Option<u64>) -> Result<Content> {
        let path = self.cache.partial(etag);
        let failed = |source| Error::io(path.display(), "writing", source);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(&path).map_err(failed)?;
        let mut done = file.seek(SeekFrom::End(0)).map_err(failed)?;
        if size.is_some_and(|size| done > size) {
            file.set_len(0).map_err(failed)?;
            done = file.seek(SeekFrom::Start(0)).map_err(failed)?;
        }
        let start = match done {
            0 => Start::Here,
            _ => Start::EarlierRun,
        };
        self.transfer(&mut file, done, size)?;
        let found = file.seek(SeekFrom::End(0)).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if let Some(other) = other_hash(etag, &mut file).map_err(failed)? {
            drop(fs::remove_file(&path));
            if start == Start::EarlierRun {
                return Ok(Content::Other);
            }
            return Err(self.error(format_args!(
                "{found} bytes with the hash {other}, not {etag}"
            )));
        }
        file.sync_all().map_err(failed)?;
        drop(file);
        fs::rename(&path, self.cache.blob(etag)).map_err(failed)?;
        Ok(Content::Named)
    }

    /// Asks again where a transfer breaks off, for what is missing.
    fn transfer(&self, file: &mut File, mut done: u64, size: Option<u64>) -> Result<()> {
        let mut attempts = 0;
        self.progress(done, size);
        while size != Some(done) {
            let before = done;
            let Some(broken) = self.receive(file, &mut done, size)? else {
                return Ok(());
            };
            if done > before {
                attempts = 0;
                continue;
            }
            attempts += 1;
            if attempts == ATTEMPTS {
                return Err(self.error(broken));
            }
            thread::sleep(DELAY * attempts);
        }
        Ok(())
    }

    /// Appends what one request gives; returns why it broke off, if it did.
    fn receive(
        &self,
        file: &mut File,
        done: &mut u64,
        size: Option<u64>,
    ) -> Result<Option<String>> {
        let response = self.send(Method::Get, *done)?;
        let status = response.status();
        if status == StatusCode::PARTIAL_CONTENT {
            let range = text(response.headers(), "content-range").unwrap_or_default();
            if !range.starts_with(&format!("bytes {done}-")) {
                return Err(self.error(format_args!("the range `{range}` from byte {done} on")));
            }
        } else if *done > 0 {
            // It starts at the beginning, or refuses to go on.
            file.set_len(0).map_err(|source| self.failed(source))?;
            file.rewind().map_err(|source| self.failed(source))?;
            *done = 0;
        }
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(Some(format!("status {}", status.as_u16())));
        }
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(source) => return Ok(Some(format!("{done} bytes, then: {source}"))),
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            file.write_all(bytes)
                .map_err(|source| self.failed(source))?;
            *done += read as u64;
            if let Some(size) = size.filter(|size| *done > *size) {
                return Err(self.error(format_args!("more than its {size} bytes")));
            }
            self.progress(*done, size);
        }
        let missing = size.filter(|size| *done < *size);
        Ok(missing.map(|size| format!("{done} bytes of {size}")))
    }

    fn send(&self, method: Method, from: u64) -> Result<Response<Body>> {
        let (endpoint, name) = (&self.client.settings().endpoint, self.name);
        let path = encoded(self.path, b"/");
        let address = format!("{endpoint}/{name}/resolve/{}/{path}", self.commit);
        Ok(self.client.send(&Request {
            method,
            address: &address,
            what: &self.what(),
            from,
        })?)
    }

    fn what(&self) -> String {
        format!("the file {} of {}@{}", self.path, self.name, self.commit)
    }

    fn progress(&self, done: u64, of: Option<u64>) {
        let file = self.path;
        self.report(&HubEvent::Progress { file, done, of });
    }

    fn report(&self, event: &HubEvent<'_>) {
        self.client.settings().report(event);
    }

    fn error(&self, found: impl fmt::Display) -> Error {
        let endpoint = shown(&self.client.settings().endpoint);
        Error::hub(endpoint, self.what(), found)
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::io(self.cache.root().display(), "writing", source)
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.trim().parse().ok()
}
