//! Writing and reading table files with the libraries of Arrow.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use multivec::Embedding;
use multivec_arrow::EmbeddingArrays;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::run::DIM;

/// Texts of different lengths, ids from `first` on, and a column of languages.
pub fn texts(first: usize, count: usize) -> RecordBatch {
    let numbers = first..first + count;
    let text = |at: usize| format!("text {at} {}", "and more ".repeat(at % 5));
    let language = |at: usize| ["en", "fr", "ä"][at % 3];
    batch(vec![
        (
            "id",
            Arc::new(Int64Array::from_iter_values(
                numbers.clone().map(|at| at as i64),
            )) as _,
        ),
        (
            "lang",
            Arc::new(StringArray::from_iter_values(numbers.clone().map(language))) as _,
        ),
        (
            "text",
            Arc::new(StringArray::from_iter_values(numbers.map(text))) as _,
        ),
    ])
}

pub fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Writes a file in the format that its name tells; `.stream.arrow` is a stream.
pub fn write(path: &Path, rows: &RecordBatch) {
    let name = path.to_string_lossy().into_owned();
    if name.ends_with(".parquet") {
        return write_parquet(path, rows, Compression::SNAPPY);
    }
    if name.ends_with(".csv") {
        return fs::write(path, csv(rows)).expect("it is written");
    }
    let file = File::create(path).expect("a file");
    if name.ends_with(".stream.arrow") {
        let mut writer = StreamWriter::try_new(file, rows.schema_ref()).expect("a stream");
        writer.write(rows).expect("rows");
        writer.finish().expect("a stream");
    } else {
        let mut writer = FileWriter::try_new(file, rows.schema_ref()).expect("a file");
        writer.write(rows).expect("rows");
        writer.finish().expect("a file");
    }
}

pub fn write_parquet(path: &Path, rows: &RecordBatch, compression: Compression) {
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(700))
        .build();
    let file = File::create(path).expect("a file");
    let writer = ArrowWriter::try_new(file, rows.schema(), Some(properties));
    let mut writer = writer.expect("a file");
    writer.write(rows).expect("rows");
    writer.close().expect("a file");
}

/// Compressions that other programs write.
pub fn compressions() -> [Compression; 5] {
    [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ]
}

fn csv(rows: &RecordBatch) -> String {
    let quoted = |array: &ArrayRef, at: usize| match array.as_string_opt::<i32>() {
        Some(texts) => format!("\"{}\"", texts.value(at).replace('"', "\"\"")),
        None => array.as_primitive::<Int64Type>().value(at).to_string(),
    };
    let names = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect::<Vec<_>>();
    let line = |at| {
        let fields: Vec<String> = rows
            .columns()
            .iter()
            .map(|array| quoted(array, at))
            .collect();
        fields.join(",") + "\r\n"
    };
    let lines: String = (0..rows.num_rows()).map(line).collect();
    format!("\u{feff}{}\r\n{lines}", names.join(","))
}

/// A table that `multivec` has written: its schema with the metadata, and all
/// rows.
pub struct Found {
    pub schema: SchemaRef,
    pub rows: RecordBatch,
}

pub fn read(path: &Path) -> Found {
    let file = File::open(path).expect("the output is there");
    let (schema, batches): (_, Vec<RecordBatch>) =
        if path.extension().is_some_and(|it| it == "parquet") {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
            let schema = builder.schema().clone();
            let reader = builder.build().expect("Parquet");
            (schema, reader.collect::<Result<_, _>>().expect("rows"))
        } else {
            let reader = FileReader::try_new(file, None).expect("Arrow");
            let schema = reader.schema();
            (schema, reader.collect::<Result<_, _>>().expect("rows"))
        };
    let rows = concat_batches(&schema, &batches).expect("batches of one schema");
    Found { schema, rows }
}

/// The Parquet files of a folder, in the order of their names.
pub fn parts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    paths
}

impl Found {
    pub fn column(&self, name: &str) -> &ArrayRef {
        self.rows.column_by_name(name).expect("the column is there")
    }

    pub fn integers(&self, name: &str) -> Vec<i64> {
        let column = self.column(name).as_primitive::<Int64Type>();
        assert_eq!(column.null_count(), 0);
        column.values().to_vec()
    }

    pub fn texts(&self, name: &str) -> Vec<Option<String>> {
        let column = self.column(name).as_string::<i32>().iter();
        column.map(|text| text.map(str::to_owned)).collect()
    }

    pub fn arrays(&self) -> EmbeddingArrays {
        let scales = self.rows.column_by_name("embedding_scale").cloned();
        EmbeddingArrays::new(self.column("embedding").clone()).with_scales(scales)
    }

    pub fn embeddings(&self) -> Vec<Option<Embedding>> {
        self.arrays().multi_vectors(DIM).expect("embeddings")
    }
}
