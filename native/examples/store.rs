//! Streams a corpus into one safetensors file for a vector store, and reads it
//! back. Tensors: `rows`, `[rows, dim]`, all documents; `offsets`,
//! `[documents + 1]`: document `i` has the rows `offsets[i]..offsets[i + 1]`;
//! `ids`, one a line. The metadata names the embedding space.
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

/// Bytes kept free for the header, whose shapes are known last; spaces fill it.
const HEADER: usize = 4096;

const CORPUS: [(&str, &str); 2] = [
    ("bees", "Bees make honey."),
    ("moon", "The Moon causes tides."),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or("models/minilm-colbert".into());
    let path = arguments.next().map(PathBuf::from);
    let path = path.unwrap_or(std::env::temp_dir().join("multivec-example.safetensors"));
    let encoder = EncoderBuilder::from_dir(model).build()?;
    write(&encoder, &path, CORPUS)?;
    let (ids, documents) = read(&encoder, &path)?;
    let query = encoder.encode_query("Which animal makes honey?")?;
    let best = rank(&query, &documents)?[0];
    println!("{}: found {}", path.display(), ids[best.index]);
    Ok(())
}

/// Never holds more embeddings than one read-ahead.
fn write<'a>(
    encoder: &Encoder,
    path: &Path,
    corpus: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Box<dyn Error>> {
    let (mut ids, mut offsets, mut rows) = (String::new(), vec![0; 8], 0usize);
    let mut file = BufWriter::new(File::create(path)?);
    file.seek(SeekFrom::Start(8 + HEADER as u64))?;
    let texts = corpus.into_iter().map(|(id, text)| {
        ids += &format!("{id}\n");
        text
    });
    for embedding in encoder.stream_documents(texts) {
        let embedding = embedding?;
        for value in embedding.as_slice() {
            file.write_all(&value.to_le_bytes())?;
        }
        rows += embedding.tokens();
        offsets.extend((rows as u64).to_le_bytes());
    }
    file.write_all(&offsets)?;
    file.write_all(ids.as_bytes())?;

    let (dim, documents) = (encoder.dim(), offsets.len() / 8);
    let end_of_rows = rows * dim * 4;
    let end_of_offsets = end_of_rows + offsets.len();
    let header = json!({
        "__metadata__": { "space": encoder.fingerprint().space() },
        "rows": { "dtype": "F32", "shape": [rows, dim], "data_offsets": [0, end_of_rows] },
        "offsets": { "dtype": "U64", "shape": [documents], "data_offsets": [end_of_rows, end_of_offsets] },
        "ids": { "dtype": "U8", "shape": [ids.len()], "data_offsets": [end_of_offsets, end_of_offsets + ids.len()] },
    });
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&(HEADER as u64).to_le_bytes())?;
    write!(file, "{:HEADER$}", header.to_string())?;
    Ok(file.flush()?)
}

/// Refuses vectors of another embedding space.
fn read(encoder: &Encoder, path: &Path) -> Result<(Vec<String>, Vec<Embedding>), Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let metadata = SafeTensors::read_metadata(&bytes)?.1.metadata().clone();
    let space = metadata.and_then(|mut found| found.remove("space"));
    let space = space.unwrap_or_default();
    encoder.fingerprint().check_space(&space)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let ids = String::from_utf8(tensors.tensor("ids")?.data().to_vec())?;
    let offsets = tensors.tensor("offsets")?.data().as_chunks().0;
    let values = tensors.tensor("rows")?.data().as_chunks().0;
    let dim = encoder.dim();
    let at = |offset: [u8; 8]| u64::from_le_bytes(offset) as usize * dim;
    let documents = offsets.windows(2).map(|range| {
        let rows = values[at(range[0])..at(range[1])].iter();
        Embedding::from_rows(rows.map(|&value| f32::from_le_bytes(value)).collect(), dim)
    });
    let ids = ids.lines().map(str::to_owned).collect();
    Ok((ids, documents.collect::<Result<_, _>>()?))
}
