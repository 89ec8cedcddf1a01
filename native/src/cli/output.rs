//! Embeddings to a file that appears under its name only when it is whole.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use multivec::{Embedding, Error, Fingerprint, Result};
use safetensors::tensor::{Dtype, View};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::input::InputText;
use super::io_error;

/// A file of embeddings in progress.
pub(super) struct Output {
    path: PathBuf,
    format: Format,
    metadata: HashMap<String, String>,
    written: usize,
}

enum Format {
    /// `.jsonl`: an object a text.
    Lines(BufWriter<NamedTempFile>),
    /// `.safetensors`: a tensor a text. Rows wait in a file of their own,
    /// since the shapes of all come first.
    Tensors {
        rows: BufWriter<File>,
        shapes: Vec<[usize; 2]>,
        ids: Vec<Option<Value>>,
    },
}

impl Output {
    /// Starts a file; the ending of its name decides over the format.
    pub(super) fn create(path: &Path, kind: &str, fingerprint: &Fingerprint) -> Result<Self> {
        let fail = |source| io_error(&path.display().to_string(), "writing", source);
        let folder = folder(path);
        let format = match path.extension().and_then(|ending| ending.to_str()) {
            Some("jsonl") => Format::Lines(BufWriter::new(temporary(folder).map_err(fail)?)),
            Some("safetensors") => Format::Tensors {
                rows: BufWriter::new(tempfile::tempfile_in(folder).map_err(fail)?),
                shapes: Vec::new(),
                ids: Vec::new(),
            },
            _ => {
                return Err(Error::option(
                    "output",
                    "a name that ends in .safetensors or .jsonl",
                    path.display(),
                ));
            }
        };
        let metadata = [
            ("format", "multivec"),
            ("kind", kind),
            ("space", fingerprint.space()),
            ("computed", fingerprint.computed()),
        ];
        Ok(Self {
            path: path.to_owned(),
            format,
            metadata: metadata
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            written: 0,
        })
    }

    /// Adds the embedding of one text.
    pub(super) fn write(&mut self, text: &InputText, embedding: &Embedding) -> Result<()> {
        let done = match &mut self.format {
            Format::Lines(lines) => {
                let rows: Vec<Vec<f32>> = embedding
                    .view()
                    .rows()
                    .into_iter()
                    .map(|row| row.to_vec())
                    .collect();
                let line = serde_json::json!({
                    "index": self.written,
                    "id": text.id,
                    "kind": self.metadata["kind"],
                    "space": self.metadata["space"],
                    "embedding": rows,
                });
                writeln!(lines, "{line}")
            }
            Format::Tensors { rows, shapes, ids } => {
                shapes.push([embedding.tokens(), embedding.dim()]);
                ids.push(text.id.clone());
                embedding
                    .as_slice()
                    .iter()
                    .try_for_each(|value| rows.write_all(&value.to_le_bytes()))
            }
        };
        self.written += 1;
        done.map_err(|source| self.error(source))
    }

    /// Puts the finished file under its name.
    pub(super) fn finish(mut self) -> Result<()> {
        let path = self.path.clone();
        let fail = |source| io_error(&path.display().to_string(), "writing", source);
        let file = match self.format {
            Format::Lines(lines) => lines.into_inner().map_err(|error| fail(error.into()))?,
            Format::Tensors { rows, shapes, ids } => {
                if ids.iter().any(Option::is_some) {
                    let ids = Value::from_iter(ids);
                    self.metadata.insert("ids".to_owned(), ids.to_string());
                }
                let rows = rows.into_inner().map_err(|error| fail(error.into()))?;
                let file = temporary(folder(&path)).map_err(fail)?;
                let failed = RefCell::new(None);
                safetensors::serialize_to_file(
                    tensors(&rows, shapes, &failed),
                    Some(self.metadata),
                    file.path(),
                )
                .map_err(|error| fail(io::Error::other(error)))?;
                if let Some(error) = failed.into_inner() {
                    return Err(fail(error));
                }
                file
            }
        };
        file.as_file().sync_all().map_err(fail)?;
        file.persist(&path).map_err(|error| fail(error.error))?;
        Ok(())
    }

    fn error(&self, source: io::Error) -> Error {
        io_error(&self.path.display().to_string(), "writing", source)
    }
}

pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file that disappears unless it is given its name, readable as any other
/// that the user makes.
pub(super) fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".multivec-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// A tensor whose values wait in a file.
struct WaitingTensor<'a> {
    rows: &'a File,
    start: u64,
    shape: [usize; 2],
    // The trait below has no way to fail.
    failed: &'a RefCell<Option<io::Error>>,
}

fn tensors<'a>(
    rows: &'a File,
    shapes: Vec<[usize; 2]>,
    failed: &'a RefCell<Option<io::Error>>,
) -> Vec<(String, WaitingTensor<'a>)> {
    let mut start = 0;
    shapes
        .into_iter()
        .enumerate()
        .map(|(index, shape)| {
            let tensor = WaitingTensor {
                rows,
                start,
                shape,
                failed,
            };
            start += tensor.data_len() as u64;
            (index.to_string(), tensor)
        })
        .collect()
}

impl View for WaitingTensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        let mut rows = self.rows;
        let read = rows
            .seek(SeekFrom::Start(self.start))
            .and_then(|_| rows.read_exact(&mut bytes));
        if let Err(error) = read {
            self.failed.replace(Some(error));
        }
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.shape[0] * self.shape[1] * size_of::<f32>()
    }
}
