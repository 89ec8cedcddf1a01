use std::fs::{self, File};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::*;

fn rows() -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..50));
    let words = (0..50).map(|at| (at % 7 != 0).then(|| format!("text {at}")));
    let words: ArrayRef = Arc::new(StringArray::from_iter(words));
    RecordBatch::try_from_iter([("id", ids), ("text", words)]).expect("columns of one length")
}

fn bytes(format: &str) -> Vec<u8> {
    let (rows, mut bytes) = (rows(), Vec::new());
    match format {
        "file" => {
            let mut writer = FileWriter::try_new(&mut bytes, rows.schema_ref()).expect("a file");
            writer.write(&rows).expect("rows");
            writer.finish().expect("a file");
        }
        "stream" => {
            let mut writer = StreamWriter::try_new(&mut bytes, rows.schema_ref());
            let writer = writer.as_mut().expect("a stream");
            writer.write(&rows).expect("rows");
            writer.finish().expect("a stream");
        }
        _ => {
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
            let properties = Some(properties.build());
            let writer = ArrowWriter::try_new(&mut bytes, rows.schema(), properties);
            let mut writer = writer.expect("a file");
            writer.write(&rows).expect("rows");
            writer.close().expect("a file");
        }
    }
    bytes
}

fn read(path: &Path, format: InputFormat) -> Result<usize> {
    let name = path.display().to_string();
    let mut table = Table::open(name, Some(path), format, &Columns::default())?;
    let mut texts = 0;
    loop {
        let chunk = table.read_chunk()?;
        if chunk.is_empty() {
            return Ok(texts);
        }
        texts += chunk.texts.len() + chunk.nulls.len();
    }
}

#[test]
fn damaged_tables_end_in_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    for (name, format) in [
        ("file", InputFormat::Arrow),
        ("stream", InputFormat::Arrow),
        ("parquet", InputFormat::Parquet),
    ] {
        let whole = bytes(name);
        fs::write(&path, &whole).expect("it is written");
        assert_eq!(read(&path, format).expect("it is whole"), 50);
        for at in (0..whole.len()).step_by(7) {
            for change in [0xff, 0x01] {
                let mut damaged = whole.clone();
                damaged[at] ^= change;
                fs::write(&path, &damaged).expect("it is written");
                // What it has is unknown; that it returns is what is tested.
                let _ = read(&path, format);
            }
            File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(at as u64))
                .expect("it can be cut");
            let _ = read(&path, format);
        }
    }
}
