//! A graph whose weights stay in files until they are used.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use multivec_core::WeightsHasher;
use multivec_graph::onnx::TensorProto;
use multivec_graph::{Bytes, Error, ExternalLocation, Graph, Result, embed_bytes, tensor_bytes};

use super::read::reading;

/// A graph and the files of its weights.
pub(crate) struct ModelGraph {
    /// Large weights of a model file are not in it. They are external tensors
    /// that refer to the model file itself.
    pub(crate) graph: Graph,
    /// The file that contains exactly this graph, if any.
    pub(crate) path: Option<PathBuf>,
    pub(crate) weights: WeightFiles,
}

impl ModelGraph {
    /// Reads a model file, except for large weights.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let own = File::open(path).map_err(|source| reading(path, source))?;
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let mut graph = Graph::scan(&file, &name, &own)?;
        let weights = WeightFiles {
            file,
            own: Some((name, own)),
            folder: Some(path.parent().unwrap_or(Path::new("")).to_owned()),
        };
        graph.read_small(&|tensor| weights.read(tensor))?;
        Ok(Self {
            graph,
            path: Some(path.to_owned()),
            weights,
        })
    }

    /// Reads a model in memory.
    pub(crate) fn parse(file: &str, bytes: Bytes) -> Result<Self> {
        Ok(Self {
            graph: Graph::parse(file, bytes)?,
            path: None,
            weights: WeightFiles {
                file: file.to_owned(),
                own: None,
                folder: None,
            },
        })
    }

    /// A graph with external weights in a folder; `file` is its name in
    /// messages.
    #[cfg(feature = "quantize")]
    pub(crate) fn in_folder(file: &str, graph: Graph, folder: &Path) -> Self {
        Self {
            graph,
            path: None,
            weights: WeightFiles {
                file: file.to_owned(),
                own: None,
                folder: Some(folder.to_owned()),
            },
        }
    }

    /// The model file, for messages.
    pub(crate) fn file(&self) -> &str {
        self.weights.model()
    }

    /// The names of external files other than the model file.
    pub(crate) fn external_files(&self) -> impl Iterator<Item = &str> {
        let files = self.graph.external_files().into_iter();
        files.filter(|name| !self.weights.is_own(name))
    }

    /// Adds the model file and its external files to a hash.
    pub(super) fn hash(&self, hasher: &mut WeightsHasher) -> Result<()> {
        if let Some((_, file)) = &self.weights.own {
            let mut file = file;
            let hashed = file.rewind().and_then(|()| hasher.update_reader(file));
            hashed.map_err(|source| reading(Path::new(self.file()), source))?;
        }
        for name in self.external_files() {
            let path = self.weights.beside(name)?;
            let failed = |source| reading(&path, source);
            let file = File::open(&path).map_err(failed)?;
            hasher.update_reader(file).map_err(failed)?;
        }
        Ok(())
    }
}

/// The files of external tensors.
pub(crate) struct WeightFiles {
    /// The model file, for messages.
    file: String,
    /// The model file, under the name that tensors use for it. It is kept
    /// open, so that it may be replaced meanwhile.
    own: Option<(String, File)>,
    folder: Option<PathBuf>,
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
        let (mut reader, path) = self.reader(tensor)?;
        let mut bytes = Vec::with_capacity(reader.limit() as usize);
        let read = reader.read_to_end(&mut bytes);
        read.map_err(|source| reading(&path, source))?;
        Ok(bytes.into())
    }

    /// Reads an external tensor of floats, without a copy of its bytes.
    pub(crate) fn read_floats(&self, tensor: &TensorProto) -> Result<Vec<f32>> {
        let (mut reader, path) = self.reader(tensor)?;
        let mut left = reader.limit() as usize;
        let mut floats = Vec::with_capacity(left / size_of::<f32>());
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let part = buffer.len().min(left);
            let read = reader.read_exact(&mut buffer[..part]);
            read.map_err(|source| reading(&path, source))?;
            let values = buffer[..part].as_chunks().0.iter();
            floats.extend(values.map(|&bytes| f32::from_le_bytes(bytes)));
            left -= part;
        }
        Ok(floats)
    }

    /// Puts weights of the model file back in a graph that was made from it.
    pub(crate) fn fill(&self, graph: &mut Graph) -> Result<()> {
        for tensor in &mut graph.proto_mut().initializer {
            if self.hold(tensor) {
                let bytes = self.read(tensor)?;
                embed_bytes(tensor, bytes);
            }
        }
        Ok(())
    }

    /// Whether a tensor is external, in the model file.
    pub(crate) fn hold(&self, tensor: &TensorProto) -> bool {
        ExternalLocation::of(tensor).is_some_and(|place| self.is_own(place.file))
    }

    /// The folder of external files.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    fn is_own(&self, name: &str) -> bool {
        self.own.as_ref().is_some_and(|(own, _)| own == name)
    }

    fn beside(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.as_deref();
        let folder = folder.ok_or_else(|| self.misplaced(name, "a model without a folder"))?;
        Ok(folder.join(name))
    }

    /// A reader of a tensor's bytes, and their file for messages.
    fn reader(&self, tensor: &TensorProto) -> Result<(Take<File>, PathBuf)> {
        let name = tensor.name.as_deref().unwrap_or_default();
        let place = ExternalLocation::of(tensor).ok_or_else(|| self.misplaced(name, "none"))?;
        let path = self.beside(place.file)?;
        let failed = |source| reading(&path, source);
        let file = match &self.own {
            Some((own, file)) if own == place.file => file.try_clone(),
            _ => File::open(&path),
        };
        let mut file = file.map_err(failed)?;
        let end = file.metadata().map_err(failed)?.len();
        let length = place.length.unwrap_or(end.saturating_sub(place.offset));
        if place.offset.saturating_add(length) > end {
            let found = format!("{end} bytes in {}", path.display());
            return Err(self.misplaced(name, &found));
        }
        file.seek(SeekFrom::Start(place.offset)).map_err(failed)?;
        Ok((file.take(length), path))
    }

    fn misplaced(&self, tensor: &str, found: &str) -> Error {
        let source = format!(
            "expected the place of the tensor `{tensor}` in a file beside the model, found {found}"
        );
        Error::invalid(&self.file, source)
    }
}
