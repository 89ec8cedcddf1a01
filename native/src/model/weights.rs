//! The bytes of tensors that are not in the graph.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use multivec_core::WeightsHasher;
use multivec_graph::onnx::TensorProto;
use multivec_graph::{
    Bytes, Error, ExternalLocation, Graph, Result, embed_bytes, tensor_bytes, widen_stored,
};

use super::read::reading;

/// Bytes that are read at once where they are converted.
const BUFFER: usize = 1 << 16;

/// A file with weights that is read by us alone: engines get its tensors as
/// values.
pub(crate) struct HeldFile {
    /// The name that tensors use for it.
    pub(super) name: String,
    /// For messages.
    pub(super) path: String,
    pub(super) content: Content,
}

/// Files are kept open, so that they may be replaced meanwhile.
pub(super) enum Content {
    Open(File),
    Memory(Bytes),
}

impl HeldFile {
    /// Opens a file.
    pub(super) fn open(name: impl Into<String>, path: &Path) -> Result<Self> {
        Ok(Self {
            name: name.into(),
            path: path.display().to_string(),
            content: Content::Open(File::open(path).map_err(|source| reading(path, source))?),
        })
    }

    fn failed(&self, source: io::Error) -> Error {
        reading(Path::new(&self.path), source)
    }

    pub(super) fn size(&self) -> Result<u64> {
        match &self.content {
            Content::Memory(bytes) => Ok(bytes.len() as u64),
            Content::Open(file) => {
                let data = file.metadata().map_err(|source| self.failed(source))?;
                Ok(data.len())
            }
        }
    }

    pub(super) fn hash(&self, hasher: &mut WeightsHasher) -> Result<()> {
        match &self.content {
            Content::Memory(bytes) => hasher.update(bytes),
            Content::Open(file) => {
                let mut file = file;
                let hashed = file.rewind().and_then(|()| hasher.update_reader(file));
                hashed.map_err(|source| self.failed(source))?;
            }
        }
        Ok(())
    }
}

/// The files of external tensors.
pub(crate) struct WeightFiles {
    /// The model file, for messages.
    pub(super) file: String,
    pub(super) held: Vec<HeldFile>,
    /// That of all other external files.
    pub(super) folder: Option<PathBuf>,
}

impl WeightFiles {
    /// The model file, for messages.
    pub(crate) fn model(&self) -> &str {
        &self.file
    }

    /// The bytes of a tensor, inside the graph or external.
    pub(crate) fn bytes_of(&self, tensor: &TensorProto) -> Result<Bytes> {
        tensor_bytes(tensor, &|tensor| self.read(tensor))
    }

    /// Reads an external tensor.
    pub(crate) fn read(&self, tensor: &TensorProto) -> Result<Bytes> {
        let part = self.part(tensor)?;
        let bytes = match part.bytes {
            Span::Memory(bytes) => bytes,
            Span::File(mut reader) => {
                let mut bytes = Vec::with_capacity(reader.limit() as usize);
                let read = reader.read_to_end(&mut bytes);
                read.map_err(|source| reading(&part.path, source))?;
                bytes.into()
            }
        };
        Ok(widen_stored(tensor, bytes))
    }

    /// Reads an external tensor of floats, without a copy of its bytes.
    pub(crate) fn read_floats(&self, tensor: &TensorProto) -> Result<Vec<f32>> {
        let Part {
            bytes,
            path,
            location,
        } = self.part(tensor)?;
        let stored = location.stored;
        let mut reader = match bytes {
            Span::Memory(bytes) => {
                let mut floats = Vec::with_capacity(bytes.len() / stored.size());
                stored.read_floats(&bytes, &mut floats);
                return Ok(floats);
            }
            Span::File(reader) => reader,
        };
        let mut left = reader.limit() as usize;
        let mut floats = Vec::with_capacity(left / stored.size());
        let mut buffer = vec![0; BUFFER];
        while left > 0 {
            let part = buffer.len().min(left);
            let read = reader.read_exact(&mut buffer[..part]);
            read.map_err(|source| reading(&path, source))?;
            stored.read_floats(&buffer[..part], &mut floats);
            left -= part;
        }
        Ok(floats)
    }

    /// Puts weights of held files into a graph.
    pub(crate) fn fill(&self, graph: &mut Graph) -> Result<()> {
        for tensor in &mut graph.proto_mut().initializer {
            if self.hold(tensor) {
                let bytes = self.read(tensor)?;
                embed_bytes(tensor, bytes);
            }
        }
        Ok(())
    }

    /// Whether a tensor is external, in a held file.
    pub(crate) fn hold(&self, tensor: &TensorProto) -> bool {
        ExternalLocation::of(tensor).is_some_and(|place| self.held(place.file).is_some())
    }

    /// The folder of external files.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    pub(super) fn held(&self, name: &str) -> Option<&HeldFile> {
        self.held.iter().find(|held| held.name == name)
    }

    /// The path of an external file, which has to be in the model's folder. It
    /// may be a link to anywhere, as in the caches of hubs.
    pub(super) fn beside(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.as_deref();
        let folder = folder.ok_or_else(|| self.misplaced(name, "a model without a folder"))?;
        let is_within = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if name.is_empty() || !Path::new(name).components().all(is_within) {
            let expected = "external data in the folder of the model";
            let source = format!("expected {expected}, found `{name}`");
            return Err(Error::invalid(&self.file, source));
        }
        Ok(folder.join(name))
    }

    fn part<'t>(&self, tensor: &'t TensorProto) -> Result<Part<'t>> {
        let name = tensor.name.as_deref().unwrap_or_default();
        let location = ExternalLocation::of(tensor).ok_or_else(|| self.misplaced(name, "none"))?;
        let held = self.held(location.file);
        let path = match held {
            Some(held) => PathBuf::from(&held.path),
            None => self.beside(location.file)?,
        };
        let failed = |source| reading(&path, source);
        let check = |end: u64| {
            let length = location
                .length
                .unwrap_or(end.saturating_sub(location.offset));
            if location.offset.saturating_add(length) > end {
                let found = format!("{end} bytes in {}", path.display());
                return Err(self.misplaced(name, &found));
            }
            Ok(length)
        };
        let file = match held.map(|held| &held.content) {
            Some(Content::Memory(bytes)) => {
                let length = check(bytes.len() as u64)? as usize;
                let start = location.offset as usize;
                let bytes = Span::Memory(bytes.slice(start..start + length));
                return Ok(Part {
                    bytes,
                    path,
                    location,
                });
            }
            Some(Content::Open(file)) => file.try_clone(),
            None => File::open(&path),
        };
        let mut file = file.map_err(failed)?;
        let length = check(file.metadata().map_err(failed)?.len())?;
        file.seek(SeekFrom::Start(location.offset))
            .map_err(failed)?;
        let bytes = Span::File(file.take(length));
        Ok(Part {
            bytes,
            path,
            location,
        })
    }

    fn misplaced(&self, tensor: &str, found: &str) -> Error {
        let source = format!(
            "expected the place of the tensor `{tensor}` in a file beside the model, found {found}"
        );
        Error::invalid(&self.file, source)
    }
}

/// The stored bytes of a tensor, and their file for messages.
struct Part<'t> {
    bytes: Span,
    path: PathBuf,
    location: ExternalLocation<'t>,
}

enum Span {
    Memory(Bytes),
    File(io::Take<File>),
}
