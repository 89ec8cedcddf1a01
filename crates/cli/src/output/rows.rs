//! Rows of texts on their way into the partial file.

use std::io::{self, Write};

use multivec::{Error, Result};
use serde_json::{Value, json};

use super::format::Format;
use super::stored::Stored;
use super::{Output, hash, tensors};
use crate::input::{InputText, NullText, text_name};

impl Output {
    pub(super) fn write_null_line(&mut self, text: &NullText) -> io::Result<u64> {
        let line = json!({
            "index": text.index,
            "id": text.id,
            "kind": self.identity.kind,
            "space": self.identity.space,
            "embedding": null,
        });
        let line = format!("{line}\n");
        self.partial.write_all(line.as_bytes())?;
        Ok(line.len() as u64)
    }

    /// Writes the open rows of a table if they are enough.
    pub(super) fn write_full_batch(&mut self) -> io::Result<u64> {
        match &mut self.format {
            Format::Table(table) if table.rows.is_full() => self.write_batch(),
            _ => Ok(0),
        }
    }

    /// Writes the open rows of a table.
    pub(super) fn write_batch(&mut self) -> io::Result<u64> {
        let Format::Table(table) = &mut self.format else {
            return Ok(0);
        };
        let bytes = table.rows.take()?;
        self.partial.write_all(&bytes)?;
        Ok(bytes.len() as u64)
    }

    pub(super) fn write_line(
        &mut self,
        text: &InputText,
        embedding: &impl Stored,
    ) -> io::Result<u64> {
        let mut line = json!({
            "index": text.index,
            "id": text.id,
            "kind": self.identity.kind,
            "space": self.identity.space,
        });
        for (key, value) in embedding.fields() {
            line[key] = value;
        }
        if let Some(origin) = &self.identity.origin {
            line["origin"] = origin.as_str().into();
        }
        let line = format!("{line}\n");
        self.partial.write_all(line.as_bytes())?;
        Ok(line.len() as u64)
    }

    pub(super) fn write_rows(
        &mut self,
        text: &InputText,
        embedding: &impl Stored,
    ) -> Result<io::Result<u64>> {
        let id = text.id.clone().unwrap_or(Value::Null);
        let name = text_name(text.index, &id);
        let are_tensors = matches!(self.format, Format::Tensors);
        if are_tensors {
            self.check_name(&name, text)?;
        }
        self.totals.header += tensors::entry_size(&self.identity, &name, self.totals.length, &id);
        let most = tensors::LARGEST_HEADER - tensors::frame(&self.identity);
        if are_tensors && self.totals.header > most {
            return Err(Error::option(
                "output",
                "a name that ends in .jsonl for this many texts, since readers of safetensors \
                 refuse headers of more than 100 MB",
                format!("{} after {} texts", self.path.display(), self.totals.texts),
            ));
        }
        self.open.indices.push(text.index);
        self.open.rows.push(embedding.rows());
        self.open.weights.push(embedding.weights());
        self.open.ids.push(id);
        let bytes = embedding.bytes();
        Ok(self.partial.write_all(&bytes).map(|()| bytes.len() as u64))
    }

    /// Refuses names that a file of tensors cannot have.
    fn check_name(&mut self, name: &str, text: &InputText) -> Result<()> {
        if name != "__metadata__" && self.names.insert(hash(name)) {
            return Ok(());
        }
        Err(Error::option(
            "id",
            "an id of its own for each text, which names its tensor, or an output that ends in \
             .jsonl",
            format!("{name:?} in line {}", text.line),
        ))
    }
}
