//! The cache of a repository, in the layout of Hugging Face's Python libraries:
//!
//! ```text
//! models--org--name/
//!   blobs/ETAG                 content
//!   blobs/ETAG.incomplete      a download that was interrupted
//!   refs/main                  the commit of a branch or tag
//!   snapshots/COMMIT/a/b.json  links to blobs
//!   .multivec/COMMIT.json      the listing of a commit, which is ours
//! .locks/models--org--name/ETAG.lock
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use multivec_core::{Error, Result};

use super::commit::is_commit;
use super::listing::{self, Listing};

pub(super) struct Cache {
    root: PathBuf,
    locks: PathBuf,
}

impl Cache {
    pub(super) fn of(cache: &Path, name: &str) -> Self {
        let folder = format!("models--{}", name.replace('/', "--"));
        Self {
            locks: cache.join(".locks").join(&folder),
            root: cache.join(folder),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a commit's files.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Where a file of a commit is, or will be.
    pub(super) fn file(&self, commit: &str, path: &str) -> PathBuf {
        self.snapshot(commit).join(path)
    }

    /// Whether a commit's file is there.
    pub(super) fn has(&self, commit: &str, path: &str) -> bool {
        self.file(commit, path).exists()
    }

    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// A part of a blob.
    pub(super) fn partial(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// The commit of a revision when it was last asked for, if files of it are
    /// there.
    pub(super) fn find(&self, revision: &str) -> Option<String> {
        let commit = if is_commit(revision) {
            revision.to_owned()
        } else {
            let text = fs::read_to_string(self.root.join("refs").join(revision)).ok()?;
            text.trim().to_owned()
        };
        (is_commit(&commit) && self.snapshot(&commit).is_dir()).then_some(commit)
    }

    /// Notes the commit of a revision.
    pub(super) fn keep_revision(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        if fs::read_to_string(&path).is_ok_and(|text| text == commit) {
            return Ok(());
        }
        write(&path, commit)
    }

    /// What a commit has, if it was ever listed.
    pub(super) fn listing(&self, commit: &str) -> Option<Listing> {
        let json = fs::read(self.listing_path(commit)).ok()?;
        let listing = listing::parse(&json).ok()?;
        (listing.commit == commit).then_some(listing)
    }

    pub(super) fn keep_listing(&self, listing: &Listing) -> Result<()> {
        if self.listing(&listing.commit).as_ref() == Some(listing) {
            return Ok(());
        }
        write(
            &self.listing_path(&listing.commit),
            &listing::to_json(listing),
        )
    }

    fn listing_path(&self, commit: &str) -> PathBuf {
        self.root.join(".multivec").join(format!("{commit}.json"))
    }

    /// Locks a blob until the file is dropped, on all threads and in all
    /// processes; `wait` is called if another one has it.
    pub(super) fn lock(&self, etag: &str, wait: impl FnOnce()) -> Result<File> {
        let path = self.locks.join(format!("{etag}.lock"));
        create(&self.locks)?;
        let failed = |source| Error::io(path.display(), "locking", source);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                file.lock().map_err(failed)?;
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Ok(file)
    }

    /// Makes a blob a file of a commit.
    pub(super) fn link(&self, commit: &str, path: &str, etag: &str) -> Result<()> {
        let link = self.file(commit, path);
        let folder = link.parent().unwrap_or(&self.root);
        create(folder)?;
        // Relative, so that the cache can be moved.
        let up = "../".repeat(path.split('/').count() + 1);
        let target = format!("{up}blobs/{etag}");
        let aside = beside(&link);
        make_link(&target, &self.blob(etag), &aside)
            .and_then(|()| fs::rename(&aside, &link))
            .inspect_err(|_| drop(fs::remove_file(&aside)))
            .map_err(|source| Error::io(link.display(), "linking", source))
    }
}

#[cfg(unix)]
fn make_link(target: &str, _: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Symbolic links need a permission there; hard links and copies do not.
#[cfg(not(unix))]
fn make_link(_: &str, blob: &Path, link: &Path) -> io::Result<()> {
    fs::hard_link(blob, link).or_else(|_| fs::copy(blob, link).map(drop))
}

pub(super) fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|source| Error::io(folder.display(), "creating", source))
}

/// A name of its own for each thread and process.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{count}", std::process::id()));
    name.into()
}

/// Writes a file that nobody sees half of.
fn write(path: &Path, content: &str) -> Result<()> {
    create(path.parent().unwrap_or(path))?;
    let aside = beside(path);
    fs::write(&aside, content)
        .and_then(|()| fs::rename(&aside, path))
        .inspect_err(|_| drop(fs::remove_file(&aside)))
        .map_err(|source| Error::io(path.display(), "writing", source))
}
