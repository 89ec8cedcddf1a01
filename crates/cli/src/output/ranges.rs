//! Ranges of the integers that dense vectors are written as.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use multivec::dense::Int8Ranges;
use multivec::{Error, Result};
use serde_json::Value;

use super::dense::RANGES;
use super::tensors::LARGEST_HEADER;
use crate::console::io_error;

/// The ranges that a file of integers has.
pub(crate) fn ranges_of(path: &Path) -> Result<Int8Ranges> {
    let fail = |source| io_error(&path.display().to_string(), "reading", source);
    let header = header(path).map_err(fail)?;
    let stated = header
        .get("__metadata__")
        .and_then(|metadata| metadata.get(RANGES));
    let stated = stated
        .and_then(Value::as_str)
        .map(serde_json::from_str::<[Vec<f32>; 2]>);
    let Some(Ok([low, high])) = stated else {
        let expected = format!("a file of `encode --store int8`, whose metadata has `{RANGES}`");
        return Err(Error::option("ranges", expected, path.display()));
    };
    Int8Ranges::new(low, high)
}

fn header(path: &Path) -> io::Result<Value> {
    let mut file = File::open(path)?;
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size).min(LARGEST_HEADER as u64);
    let mut json = Vec::new();
    file.take(size).read_to_end(&mut json)?;
    // What is no JSON has no ranges.
    Ok(serde_json::from_slice(&json).unwrap_or_default())
}
