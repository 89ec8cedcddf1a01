//! A graph whose weights stay in files until they are used.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use multivec_core::WeightsHasher;
use multivec_graph::passes::widen_half_precision;
use multivec_graph::{Error, FILE_START, Graph, Result, describe_wrong_file};

use super::read::{reading, wrong_file};
use super::weights::{Content, HeldFile, WeightFiles};

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
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut model = Self::scan(HeldFile::open(name, path)?)?;
        model.path = Some(path.to_owned());
        model.weights.folder = Some(path.parent().unwrap_or(Path::new("")).to_owned());
        model.hold_links()?;
        model.read_small()?;
        Ok(model)
    }

    /// Reads a graph whose large weights stay in the file that has it.
    pub(super) fn scan(own: HeldFile) -> Result<Self> {
        let graph = match &own.content {
            Content::Open(file) => {
                wrong_file(Path::new(&own.path), file, "an ONNX model")?;
                Graph::scan(&own.path, &own.name, file)?
            }
            Content::Memory(bytes) => {
                check_start(&own.path, bytes)?;
                Graph::scan(&own.path, &own.name, Cursor::new(bytes))?
            }
        };
        Ok(Self {
            graph,
            path: None,
            weights: WeightFiles {
                file: own.path.clone(),
                held: vec![own],
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
                held: Vec::new(),
                folder: Some(folder.to_owned()),
            },
        }
    }

    /// The model file, for messages.
    pub(crate) fn file(&self) -> &str {
        self.weights.model()
    }

    /// The names of external files that are not held.
    pub(crate) fn external_files(&self) -> impl Iterator<Item = &str> {
        let files = self.graph.external_files().into_iter();
        files.filter(|name| self.weights.held(name).is_none())
    }

    /// Reads the tensors that passes look at.
    pub(super) fn read_small(&mut self) -> Result<()> {
        self.graph.read_small(&|tensor| self.weights.read(tensor))
    }

    /// Makes a graph of 16-bit floats compute in 32 bits. Its files are held,
    /// since engines would not widen what is in them.
    pub(super) fn widen(&mut self) -> Result<()> {
        if !widen_half_precision(&mut self.graph) {
            return Ok(());
        }
        self.path = None;
        let files = self.external_files();
        let held = files.map(|name| HeldFile::open(name, &self.weights.beside(name)?));
        let held = held.collect::<Result<Vec<_>>>()?;
        self.weights.held.extend(held);
        Ok(())
    }

    /// Checks where external files are, and holds those that are links, which
    /// engines do not follow out of the folder.
    fn hold_links(&mut self) -> Result<()> {
        let mut links = Vec::new();
        for name in self.external_files() {
            let path = self.weights.beside(name)?;
            let data = fs::symlink_metadata(&path).map_err(|source| reading(&path, source))?;
            if data.is_symlink() {
                links.push(HeldFile::open(name, &path)?);
            }
        }
        if !links.is_empty() {
            self.path = None;
            self.weights.held.extend(links);
        }
        Ok(())
    }

    /// Bytes of all files with weights.
    pub(crate) fn size(&self) -> Result<u64> {
        let held = self.weights.held.iter().map(HeldFile::size);
        let others = self.external_files().map(|name| {
            let path = self.weights.beside(name)?;
            HeldFile::open(name, &path)?.size()
        });
        held.chain(others).sum()
    }

    /// Adds the files of the weights to a hash.
    pub(super) fn hash(&self, hasher: &mut WeightsHasher) -> Result<()> {
        for held in &self.weights.held {
            held.hash(hasher)?;
        }
        for name in self.external_files() {
            let path = self.weights.beside(name)?;
            HeldFile::open(name, &path)?.hash(hasher)?;
        }
        Ok(())
    }
}

fn check_start(file: &str, bytes: &[u8]) -> Result<()> {
    match describe_wrong_file(&bytes[..bytes.len().min(FILE_START)]) {
        Some(found) => Err(Error::file(file, "an ONNX model", found)),
        None => Ok(()),
    }
}
