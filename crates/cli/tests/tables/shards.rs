//! Several processes that encode an input together.

use std::fs;

use multivec::Embedding;

use crate::files::{parts, read, texts, write};
use crate::run::Run;

/// More than three blocks of 1024.
const TEXTS: usize = 3500;

type Row = (i64, i64, Option<Embedding>);

fn rows(run: &Run, name: &str) -> Vec<Row> {
    let found = read(&run.path(name));
    let numbers = found
        .integers("index")
        .into_iter()
        .zip(found.integers("id"));
    let rows = numbers.zip(found.embeddings());
    rows.map(|((index, id), embedding)| (index, id, embedding))
        .collect()
}

#[test]
fn shares_make_the_whole() {
    let run = Run::new();
    fs::create_dir(run.path("files")).expect("a folder");
    write(&run.path("files/a.parquet"), &texts(0, 1300));
    write(&run.path("files/b.stream.arrow"), &texts(1300, 900));
    write(&run.path("files/c.arrow"), &texts(2200, 1300));
    write(&run.path("file.parquet"), &texts(0, TEXTS));
    run.encoded("file.parquet", "whole.parquet", &[]);
    let whole = rows(&run, "whole.parquet");
    for (input, count) in [
        ("files", 2),
        ("files", 3),
        ("files", 4),
        ("file.parquet", 3),
    ] {
        let mut all: Vec<Row> = Vec::new();
        for index in 1..=count {
            let shard = format!("{index}/{count}");
            run.encoded(input, "out.parquet", &["--shard", &shard]);
            all.extend(rows(&run, "out.parquet"));
        }
        all.sort_by_key(|row| row.0);
        assert_eq!(all.len(), TEXTS, "{input} {count}");
        assert!(all == whole, "{input} {count}");
    }
}

#[test]
fn processes_write_into_one_folder() {
    let run = Run::new();
    write(&run.path("in.parquet"), &texts(0, TEXTS));
    let rows_of_files = ["--rows-per-file", "1000"];
    run.encoded("in.parquet", "whole/", &rows_of_files);
    let names = |folder: &str| {
        let parts = parts(&run.path(folder)).into_iter();
        let names = parts.map(|path| path.file_name().expect("a name").to_owned());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    let whole: Vec<String> = (0..4).map(|at| format!("part-{at:05}.parquet")).collect();
    assert_eq!(names("whole"), whole);
    for shard in ["2/2", "1/2"] {
        let more = [&rows_of_files[..], &["--shard", shard]].concat();
        run.encoded("in.parquet", "out/", &more);
    }
    let expected = [
        "1-of-2-00000",
        "1-of-2-00001",
        "2-of-2-00000",
        "2-of-2-00001",
    ];
    assert_eq!(
        names("out"),
        expected.map(|it| format!("part-{it}.parquet"))
    );
    let all = |folder: &str| {
        let names = names(folder).into_iter();
        let mut all: Vec<Row> = names
            .flat_map(|name| rows(&run, &format!("{folder}/{name}")))
            .collect();
        all.sort_by_key(|row| row.0);
        all
    };
    assert!(all("whole") == all("out"));
    let refused = run.refused("in.parquet", "whole", &[]);
    assert!(
        refused.starts_with("--output: expected a folder without files"),
        "{refused}"
    );
}

#[test]
fn shares_that_are_none_are_refused() {
    let run = Run::new();
    write(&run.path("in.parquet"), &texts(0, 3));
    for shard in ["0/2", "3/2", "1"] {
        let done = run.encode("in.parquet", "out.parquet", &["--shard", shard]);
        assert_eq!(done.status.code(), Some(2), "{done:?}");
    }
}
