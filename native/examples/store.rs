//! Streams a corpus into one safetensors file that a vector store can map into
//! memory, then reads it back and ranks it.
//!
//! The file has three tensors and the fingerprint of the embedding space:
//!
//! - `rows`: `[all rows, dim]` of `f32`, one document after the other
//! - `offsets`: `[documents + 1]` of `u64`; document `i` has the rows from
//!   `offsets[i]` up to `offsets[i + 1]`
//! - `ids`: the documents' ids as UTF-8, one a line
//!
//! ```sh
//! cargo run -p multivec --example store -- models/minilm-colbert vectors.safetensors
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use multivec::{Embedding, Encoder, EncoderBuilder, rank};
use safetensors::SafeTensors;
use serde_json::json;

/// Room for the header, whose shapes are known at the end only. Safetensors
/// allows spaces behind the JSON.
const HEADER: usize = 4096;

const CORPUS: [(&str, &str); 3] = [
    ("bees", "Bees collect nectar and turn it into honey."),
    ("tides", "The Moon causes the tides of the oceans."),
    ("bread", "Bread rises because yeast gives off gas."),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or("models/minilm-colbert".into());
    let path = arguments.next().map_or_else(
        || std::env::temp_dir().join(format!("vectors-{}.safetensors", std::process::id())),
        PathBuf::from,
    );
    let encoder = EncoderBuilder::from_dir(model).build()?;
    write(&encoder, &path, CORPUS.into_iter())?;
    println!("written to {}", path.display());

    let (ids, documents) = read(&encoder, &path)?;
    let query = encoder.encode_query("Which animal makes honey?")?;
    let best = rank(&query, &documents)?[0];
    println!("best match: {} ({:.2})", ids[best.index], best.score);
    Ok(())
}

/// Holds at most one read-ahead of texts and embeddings, however long the
/// corpus is.
fn write<'a>(
    encoder: &Encoder,
    path: &Path,
    corpus: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), Box<dyn Error>> {
    let (mut ids, mut offsets) = (Vec::new(), vec![0u64]);
    let mut file = BufWriter::new(File::create(path)?);
    file.seek(SeekFrom::Start(8 + HEADER as u64))?;
    let texts = corpus.map(|(id, text)| {
        ids.push(id);
        text
    });
    for embedding in encoder.stream_documents(texts) {
        let embedding = embedding?;
        for value in embedding.as_slice() {
            file.write_all(&value.to_le_bytes())?;
        }
        offsets.push(offsets[offsets.len() - 1] + embedding.tokens() as u64);
    }
    let (rows, ids) = (offsets[offsets.len() - 1], ids.join("\n"));
    let offset_bytes: Vec<u8> = offsets.iter().flat_map(|at| at.to_le_bytes()).collect();
    file.write_all(&offset_bytes)?;
    file.write_all(ids.as_bytes())?;

    let rows_end = rows * encoder.dim() as u64 * 4;
    let offsets_end = rows_end + offset_bytes.len() as u64;
    let end = offsets_end + ids.len() as u64;
    let tensor = |dtype, shape: &[u64], from, to| json!({ "dtype": dtype, "shape": shape, "data_offsets": [from, to] });
    let header = json!({
        "__metadata__": { "space": encoder.fingerprint().space() },
        "rows": tensor("F32", &[rows, encoder.dim() as u64], 0, rows_end),
        "offsets": tensor("U64", &[offsets.len() as u64], rows_end, offsets_end),
        "ids": tensor("U8", &[ids.len() as u64], offsets_end, end),
    });
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&(HEADER as u64).to_le_bytes())?;
    write!(file, "{:HEADER$}", header.to_string())?;
    Ok(file.into_inner()?.sync_all()?)
}

/// Refuses vectors of another model.
fn read(encoder: &Encoder, path: &Path) -> Result<(Vec<String>, Vec<Embedding>), Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes)?;
    let metadata = metadata.metadata().clone().unwrap_or_default();
    let space = metadata.get("space").map_or("", String::as_str);
    encoder.fingerprint().check_space(space)?;

    let tensors = SafeTensors::deserialize(&bytes)?;
    let (values, _) = tensors.tensor("rows")?.data().as_chunks::<4>();
    let (offsets, _) = tensors.tensor("offsets")?.data().as_chunks::<8>();
    let values: Vec<f32> = values
        .iter()
        .map(|&value| f32::from_le_bytes(value))
        .collect();
    let offsets: Vec<usize> = offsets
        .iter()
        .map(|&at| u64::from_le_bytes(at) as usize)
        .collect();
    let ids = String::from_utf8(tensors.tensor("ids")?.data().to_vec())?;

    let dim = encoder.dim();
    let documents = offsets.windows(2).map(|range| {
        let rows = &values[range[0] * dim..range[1] * dim];
        Embedding::from_rows(rows.to_vec(), dim)
    });
    let documents = documents.collect::<Result<_, _>>()?;
    Ok((ids.lines().map(str::to_owned).collect(), documents))
}
