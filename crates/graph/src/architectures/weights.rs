//! Weights by their names within a family.

use crate::error::{Error, Result};
use crate::onnx::TensorProto;
use crate::safetensors::{Weight, WeightIndex};

/// The weights of a model, whose names may have a prefix such as `bert.`.
pub(super) struct Weights<'a> {
    index: &'a WeightIndex,
    prefix: String,
    /// The prefix of what is beside the transformer.
    root: String,
}

/// A weight, and its full name.
pub(super) struct Found<'a> {
    pub(super) name: String,
    pub(super) weight: &'a Weight,
}

impl<'a> Weights<'a> {
    pub(super) fn new(index: &'a WeightIndex) -> Self {
        Self {
            index,
            prefix: String::new(),
            root: String::new(),
        }
    }

    /// Looks for the prefix of all names, by a weight that every model of the
    /// family has.
    pub(super) fn find_prefix(&mut self, anchor: &str) -> Result<()> {
        let prefixes = self.index.names().filter_map(|name| {
            let prefix = name.strip_suffix(anchor)?;
            (prefix.is_empty() || prefix.ends_with('.')).then_some(prefix)
        });
        let prefixes: Vec<&str> = prefixes.collect();
        self.prefix = match prefixes.as_slice() {
            [prefix] => (*prefix).to_owned(),
            prefixes if prefixes.contains(&"") => String::new(),
            [] => return Err(self.missing(anchor, "one")),
            several => {
                let found = format!("those of {}", several.join(", "));
                return Err(Error::mismatch(
                    &self.index.file_names(),
                    format!("the tensor `{anchor}`"),
                    "one",
                    found,
                ));
            }
        };
        // Without the transformer's own name.
        let parent = self.prefix.trim_end_matches('.').rsplit_once('.');
        self.root = parent.map_or_else(String::new, |(parent, _)| format!("{parent}."));
        Ok(())
    }

    /// Names are those of heads from now on.
    pub(super) fn leave_transformer(&mut self) {
        self.prefix.clone_from(&self.root);
    }

    /// The weight of that name, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<Found<'a>> {
        let name = format!("{}{name}", self.prefix);
        let weight = self.index.get(&name)?;
        Some(Found { name, weight })
    }

    /// The weight of that name with its prefix.
    pub(super) fn by_full_name(&self, name: &str) -> Option<Found<'a>> {
        let weight = self.index.get(name)?;
        Some(Found {
            name: name.to_owned(),
            weight,
        })
    }

    /// The weight of that shape by one of its names.
    pub(super) fn find(&self, names: &[&str], shape: &[usize]) -> Result<Found<'a>> {
        let found = names.iter().find_map(|name| self.get(name));
        let Some(found) = found else {
            let name = names.first().copied().unwrap_or_default();
            return Err(self.missing(name, &format!("one of {shape:?}")));
        };
        let sizes = found.weight.shape.iter();
        if !sizes.copied().eq(shape.iter().map(|&size| size as u64)) {
            return Err(found.mismatch(&format!("{shape:?}")));
        }
        Ok(found)
    }

    /// An error about a weight that is not there.
    pub(super) fn missing(&self, name: &str, expected: &str) -> Error {
        let what = format!("the tensor `{}{name}`", self.prefix);
        Error::mismatch(&self.index.file_names(), what, expected, "none")
    }
}

impl Found<'_> {
    /// A row of a matrix, as a tensor `[1, columns]`.
    pub(super) fn row(&self, row: u32, columns: usize) -> Result<TensorProto> {
        let shape = self.weight.shape.as_slice();
        let fits = matches!(shape, &[rows, found]
            if u64::from(row) < rows && usize::try_from(found).is_ok_and(|found| found == columns));
        if !fits {
            return Err(self.mismatch(&format!("more than {row} rows of {columns}")));
        }
        let name = format!("{}.{row}", self.name);
        self.weight.row(u64::from(row)).to_tensor(&name)
    }

    /// An error about the shape.
    pub(super) fn mismatch(&self, expected: &str) -> Error {
        let what = format!("the tensor `{}`", self.name);
        let found = format!("{:?}", self.weight.shape);
        Error::mismatch(&self.weight.file, what, expected, found)
    }
}
